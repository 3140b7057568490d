"""Arms of a spiral."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.dataset.curve import Curve
from gan_cli.dataset.density import check_at_least, check_positive


@dataclass(frozen=True)
class Spiral(Curve):
    """Archimedean spirals from 0 to radius 1, evenly turned, under Gaussian noise.

    With two arms and one and a half turns, the shape of the two spirals of Lang and Witbrock 1988
    as flows are shown on it (Grathwohl et al. 2019, arXiv 1810.01367, figure 2), here with noise
    that is Gaussian alone. The angle is the square root of a uniform number, so that the arms are
    about equally dense along their length. The density is an integral along the curves, computed to
    the precision of float32.
    """

    arms: int = 2
    turns: float = 1.5
    std: float = 0.02

    def __post_init__(self) -> None:
        check_at_least(1, "arms", self.arms)
        check_positive("turns", self.turns)
        check_positive("std", self.std)

    def place(self, u: Tensor) -> Tensor:
        """Uniform numbers as places: their square root."""
        return u.sqrt()

    def weight(self, s: Tensor) -> Tensor:
        """The density of the places on [0, 1], `(N,) -> (N,)`: 2 s."""
        return 2 * s

    def path(self, s: Tensor) -> Tensor:
        """Points of every arm at places in [0, 1], `(N,) -> (N, arms, 2)`."""
        turned = torch.arange(self.arms).to(s) * (2 * math.pi / self.arms)
        angle = 2 * math.pi * self.turns * s[:, None] + turned
        return s[:, None, None] * torch.stack([angle.cos(), angle.sin()], 2)
