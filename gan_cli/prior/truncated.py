"""The truncated normal prior."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.prior import check_positive, reflected


@dataclass(frozen=True)
class Truncated:
    """z ~ N(0, I), given that no number of it is beyond ±bound.

    Marchesi 2017, arXiv 1706.00082; Brock et al. 2018, arXiv 1809.11096, section 3.1. They redraw
    what falls outside; here the inverse of the distribution function gives the same law at once:
    √2 erf⁻¹(u erf(bound/√2)), u ~ U(-1, 1).

    Needs: nothing.
    Trouble: samples of low variety: a larger prior.bound, or prior=normal.
    """

    bound: float = 2.0

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
        u = 2 * torch.rand(n, dim, device=device, generator=generator) - 1
        z = math.sqrt(2) * (math.erf(self.bound / math.sqrt(2)) * u).erfinv()
        return z.clamp(-self.bound, self.bound)  # what rounding has put outside

    def energy(self, z: Tensor) -> Tensor:
        """‖z‖² / 2, `(N, dim) -> (N,)`."""
        return z.square().sum(1) / 2

    def fold(self, z: Tensor) -> Tensor:
        """Reflected at ±bound."""
        return reflected(z, self.bound)

    def refuses(self, dim: int) -> str | None:
        """Nothing is refused."""
        return None
