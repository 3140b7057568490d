"""The normal prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.prior import check_positive


@dataclass(frozen=True)
class Normal:
    """z ~ N(0, std² I).

    The prior of most networks since Radford et al. 2015, arXiv 1511.06434, gave up the uniform one.

    Needs: nothing.
    Trouble: samples of low variety, or odd ones from the rim: prior=truncated for fewer of these.
    """

    std: float = 1.0

    def __post_init__(self) -> None:
        check_positive("std", self.std)

    def __call__(
        self,
        n: int,
        dim: int,
        device: torch.device | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Codes `(n, dim)`."""
        z = torch.randn(n, dim, device=device, generator=generator)
        return z if self.std == 1 else self.std * z

    def energy(self, z: Tensor) -> Tensor:
        """‖z‖² / 2 std², `(N, dim) -> (N,)`."""
        return z.square().sum(1) / (2 * self.std**2)

    def fold(self, z: Tensor) -> Tensor:
        """The codes as they are: any may be."""
        return z

    def refuses(self, dim: int) -> str | None:
        """Nothing is refused."""
        return None
