"""Two moons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.dataset.curve import Curve
from gan_cli.dataset.density import check_positive


@dataclass(frozen=True)
class Moons(Curve):
    """Two half circles of radius 1, one reaching into the other, under Gaussian noise.

    As scikit-learn's `make_moons` draws them (Pedregosa et al. 2011), with their middle moved to 0.
    The density is an integral along the curves, computed to the precision of float32.
    """

    std: float = 0.1

    def __post_init__(self) -> None:
        check_positive("std", self.std)

    def path(self, s: Tensor) -> Tensor:
        """Points of both moons at places in [0, 1], `(N,) -> (N, 2, 2)`."""
        x, y = (math.pi * s).cos(), (math.pi * s).sin()
        upper, lower = torch.stack([x - 0.5, y - 0.25], 1), torch.stack([0.5 - x, 0.25 - y], 1)
        return torch.stack([upper, lower], 1)
