"""Gaussians on a ring."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gan_cli.dataset.density import EqualGaussians, check_at_least, check_positive


@dataclass(frozen=True)
class Ring(EqualGaussians):
    """Equal Gaussians in the plane, their means evenly spaced on a circle around 0.

    Eight of them with radius 1 and standard deviation 0.01 are the ring of PacGAN (Lin et al. 2018,
    arXiv 1712.04086) and of VEEGAN (Srivastava et al. 2017, arXiv 1705.07761). The density is
    known exactly.
    """

    modes: int = 8
    radius: float = 1.0
    std: float = 0.01

    def __post_init__(self) -> None:
        check_at_least(1, "modes", self.modes)
        check_positive("radius", self.radius)
        check_positive("std", self.std)

    @cached_property
    def means(self) -> Tensor:
        """The centres, `(modes, 2)`."""
        angle = torch.arange(self.modes) * (2 * math.pi / self.modes)
        return self.radius * torch.stack([angle.cos(), angle.sin()], 1)
