"""A learning rate that falls along half a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gan_cli.schedule import check_shares, warm


@dataclass(frozen=True)
class Cosine:
    """The rate falls along half a period of a cosine, to `final` of itself.

    Loshchilov and Hutter 2016, arXiv 1608.03983, equation 5, without restarts.
    """

    final: float = 0.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        check_shares(final=self.final, warmup=self.warmup)

    def __call__(self, progress: float) -> float:
        """1 at the start, `final` at the end."""
        fall = self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2
        return warm(progress, self.warmup) * fall
