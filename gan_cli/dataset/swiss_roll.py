"""A Swiss roll, seen from its side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.dataset.curve import Curve
from gan_cli.dataset.density import check_positive


@dataclass(frozen=True)
class SwissRoll(Curve):
    """The spiral t (cos t, sin t) from t = 3π/2 to 9π/2, t uniform, under Gaussian noise, scaled.

    The roll of Marsland 2009 as scikit-learn draws it, without its depth; `noise` counts before
    everything is divided by `scale`. With noise 0.25 and scale 7.5 it is the Swiss roll of
    Gulrajani et al. 2017, arXiv 1704.00028, figure 1. The density is an integral along the curve,
    computed to the precision of float32.
    """

    noise: float = 0.25
    scale: float = 7.5

    def __post_init__(self) -> None:
        check_positive("noise", self.noise)
        check_positive("scale", self.scale)

    @property
    def std(self) -> float:
        """The standard deviation of the noise along each axis, as scaled."""
        return self.noise / self.scale

    def path(self, s: Tensor) -> Tensor:
        """Points of the roll at places in [0, 1], `(N,) -> (N, 1, 2)`."""
        t = 1.5 * math.pi * (1 + 2 * s)
        return torch.stack([t * t.cos(), t * t.sin()], 1)[:, None] / self.scale
