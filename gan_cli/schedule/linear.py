"""A learning rate that falls in a straight line."""

from __future__ import annotations

from dataclasses import dataclass

from gan_cli.schedule import check_shares, warm


@dataclass(frozen=True)
class Linear:
    """The rate falls in a straight line from `start` of the run on, to `final` of itself.

    With start 0 and final 0 it is how spectrally normalised GANs are usually trained, after the
    code of Miyato et al. 2018, arXiv 1802.05957.
    """

    start: float = 0.0
    final: float = 0.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        check_shares(start=self.start, final=self.final, warmup=self.warmup)

    def __call__(self, progress: float) -> float:
        """1 until `start`, then down to `final` at the end."""
        spent = max(0.0, progress - self.start) / (1 - self.start) if self.start < 1 else 0.0
        return warm(progress, self.warmup) * (1 + (self.final - 1) * spent)
