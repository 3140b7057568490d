"""Instance noise: D sees real and fake samples under the same noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli import dist


@dataclass(frozen=True)
class InstanceNoise:
    """Gaussian noise of `std` on every sample that D sees: x + std·ε, real and fake alike.

    Sønderby et al. 2016, arXiv 1610.04490, section on instance noise; Arjovsky and Bottou 2017,
    arXiv 1701.04862, section 3. Two distributions that never meet do meet under noise, so that D
    can't be sure and its gradient does not vanish; the noisy divergence is still 0 only where they
    are equal. Both papers let the noise fade away over training, which is
    `augment=instance_noise_annealed`.

    Needs: samples on a known scale (images are in [-1, 1]); noise of 0.1 is then one twentieth of
    the range.

    Trouble: with noise that stays, D can't see details finer than `std`, and samples stay grainy:
    `augment=instance_noise_annealed`. D sure of itself all the same: `augment.std=0.5`.
    """

    moves: ClassVar[bool] = False

    std: float = 0.1

    def __post_init__(self) -> None:
        if self.std < 0:
            raise ValueError(f"std can't be negative: {self.std}")

    def __call__(self, x: Tensor) -> Tensor:
        """Noisy samples, `(N, …) -> (N, …)`."""
        return x + self.std * dist.own_like(torch.randn_like, x)

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Nothing is refused: noise can be added to samples of any shape."""
        return None
