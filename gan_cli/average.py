"""How a player's weights are averaged over its updates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Averaging:
    """How a player's weights are averaged.

    An exponential moving average with a half-life counted in images, which early on is no longer
    than `ramp_up` times the images learnt from, as in the code of Karras et al. 2020, arXiv
    2006.06676. A half-life of 0 means no average.
    """

    half_life: float = 10_000
    ramp_up: float = 0.05

    def __post_init__(self) -> None:
        if self.half_life < 0:
            raise ValueError(f"ema.half_life is a number of images, 0 or more: {self.half_life}")
        if self.ramp_up < 0:
            raise ValueError(f"ema.ramp_up can't be negative: {self.ramp_up}")

    def decay(self, images: int, seen: int) -> float:
        """The weight of the old average after `images` more, `seen` in all."""
        half_life = min(self.half_life, self.ramp_up * seen) if self.ramp_up else self.half_life
        return 0.5 ** (images / max(half_life, 1e-8))
