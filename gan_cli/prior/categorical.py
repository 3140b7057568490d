"""A category and some noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.prior import check_positive
from gan_cli.prior.layout import Layout, checked, one_hot


@dataclass(frozen=True)
class Categorical:
    """z = (e_k, ε): a one-hot category, each as likely, and noise ε ~ N(0, std² I).

    Mukherjee et al. 2018, arXiv 1809.03627 (ClusterGAN), where std is 0.1.

    Needs: a model.z_dim of more numbers than there are categories.
    Trouble: categories that mean nothing: auxiliary=infogan, which asks D for them. Samples of a
    category that all look alike: a larger prior.std.
    """

    categories: int = 10
    std: float = 0.1

    def __post_init__(self) -> None:
        checked([self.categories])
        check_positive("std", self.std)

    @property
    def layout(self) -> Layout:
        """The category first, then noise."""
        return Layout((self.categories,), 0)

    def __call__(
        self,
        n: int,
        dim: int,
        device: torch.device | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Codes `(n, dim)`."""
        hot = one_hot(n, self.categories, device, generator)
        noise = torch.randn(n, dim - self.categories, device=device, generator=generator)
        return torch.cat([hot, self.std * noise], 1)

    def energy(self, z: Tensor) -> Tensor:
        """‖ε‖² / 2 std² of the noise, `(N, dim) -> (N,)`."""
        return z[:, self.categories :].square().sum(1) / (2 * self.std**2)

    def fold(self, z: Tensor) -> Tensor:
        """The codes as they are: any may be."""
        return z

    def refuses(self, dim: int) -> str | None:
        """A z with no room for noise."""
        return self.layout.refuses(dim)
