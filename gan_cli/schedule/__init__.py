"""Schedules: a factor for the learning rates as a function of how much of the budget is spent."""

from __future__ import annotations

from typing import Protocol


class Schedule(Protocol):
    """A factor as a function of progress."""

    def __call__(self, progress: float) -> float:
        """The factor at progress in [0, 1], the share of the run's steps already made."""
        ...


def check_shares(**shares: float) -> None:
    """Raise ValueError unless each is a share in [0, 1]."""
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is a share from 0 to 1, not {share}")


def warm(progress: float, warmup: float) -> float:
    """The factor of a linear warm-up over the first `warmup` of the run."""
    return min(1.0, progress / warmup) if warmup else 1.0
