"""The uniform prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.prior import check_positive, reflected


@dataclass(frozen=True)
class Uniform:
    """z ~ U(-bound, bound), each number by itself.

    The prior of the first GANs: Goodfellow et al. 2014, arXiv 1406.2661; Radford et al. 2015,
    arXiv 1511.06434, section 4 (100 numbers).

    Needs: nothing.
    Trouble: in-between codes that look odd (the middle of a cube is seldom drawn): prior=normal.
    """

    bound: float = 1.0

    def __post_init__(self) -> None:
        check_positive("bound", self.bound)

    def __call__(
        self,
        n: int,
        dim: int,
        device: torch.device | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Codes `(n, dim)`."""
        return self.bound * (2 * torch.rand(n, dim, device=device, generator=generator) - 1)

    def energy(self, z: Tensor) -> Tensor:
        """0: every code is as likely, `(N, dim) -> (N,)`."""
        return 0 * z.sum(1)

    def fold(self, z: Tensor) -> Tensor:
        """Reflected at ±bound."""
        return reflected(z, self.bound)

    def refuses(self, dim: int) -> str | None:
        """Nothing is refused."""
        return None
