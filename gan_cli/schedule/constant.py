"""A constant learning rate."""

from __future__ import annotations

from dataclasses import dataclass

from gan_cli.schedule import check_shares, warm


@dataclass(frozen=True)
class Constant:
    """The rate itself from beginning to end, after an optional linear warm-up."""

    warmup: float = 0.0

    def __post_init__(self) -> None:
        check_shares(warmup=self.warmup)

    def __call__(self, progress: float) -> float:
        """1, or less while warming up."""
        return warm(progress, self.warmup)
