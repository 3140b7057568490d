"""The codes of InfoGAN, and noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.prior import reflected
from gan_cli.prior.layout import Code, Layout, checked, one_hot


@dataclass(frozen=True)
class Codes:
    """z = (c, ε): one-hot codes of so many categories each, codes from U(-1, 1), noise N(0, I).

    Chen et al. 2016, arXiv 1606.03657: for MNIST one code of ten categories and two continuous
    ones (section 7.2).

    Needs: auxiliary=infogan, or G may ignore them; a model.z_dim that leaves room for noise.
    Trouble: two categories for one thing: as many categories as there are, or a code more.
    """

    categories: tuple[int, ...] = (10,)
    continuous: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", checked(self.categories))
        if self.continuous < 0:
            raise ValueError(f"continuous is a number of codes, 0 or more, not {self.continuous}")
        if not self.categories and not self.continuous:
            raise ValueError("categories and continuous leave no code: prior=normal")

    @property
    def layout(self) -> Layout:
        """One-hot codes first, then the continuous ones, then noise."""
        return Layout(self.categories, self.continuous)

    def __call__(
        self,
        n: int,
        dim: int,
        device: torch.device | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Codes `(n, dim)`."""
        hot = [one_hot(n, size, device, generator) for size in self.categories]
        continuous = 2 * torch.rand(n, self.continuous, device=device, generator=generator) - 1
        noise = torch.randn(n, dim - self.layout.width, device=device, generator=generator)
        return torch.cat([*hot, continuous, noise], 1)

    def split(self, z: Tensor) -> Code:
        """The parts of latent codes, `(N, dim)`."""
        return self.layout.split(z)

    def energy(self, z: Tensor) -> Tensor:
        """‖ε‖² / 2 of the noise, `(N, dim) -> (N,)`."""
        return z[:, self.layout.width :].square().sum(1) / 2

    def fold(self, z: Tensor) -> Tensor:
        """The continuous codes reflected at ±1."""
        first, width = sum(self.categories), self.layout.width
        return torch.cat([z[:, :first], reflected(z[:, first:width], 1.0), z[:, width:]], 1)

    def refuses(self, dim: int) -> str | None:
        """A z with no room for noise."""
        return self.layout.refuses(dim)
