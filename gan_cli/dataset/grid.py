"""Gaussians on a square grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gan_cli.dataset.density import EqualGaussians, check_at_least, check_positive


@dataclass(frozen=True)
class Grid(EqualGaussians):
    """Equal Gaussians in the plane, `side` rows of `side` each, the middle of them all at 0.

    Five rows at {-4, -2, 0, 2, 4} with standard deviation 0.05 are the grid of PacGAN (Lin et al.
    2018, arXiv 1712.04086) and of VEEGAN (Srivastava et al. 2017, arXiv 1705.07761); `grid100` is
    the same with ten rows, from -9 to 9. The density is known exactly.
    """

    side: int = 5
    spacing: float = 2.0
    std: float = 0.05

    def __post_init__(self) -> None:
        check_at_least(1, "side", self.side)
        check_positive("spacing", self.spacing)
        check_positive("std", self.std)

    @cached_property
    def means(self) -> Tensor:
        """The centres, `(side², 2)`."""
        line = self.spacing * (torch.arange(self.side) - (self.side - 1) / 2)
        return torch.cartesian_prod(line, line)
