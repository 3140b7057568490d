"""What a search may vary: values to choose among, and numbers between two bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

DIGITS = 4
"""Digits of a number that is tried: more would tell nothing apart."""


class Asked(Protocol):
    """What a value is asked of: a trial of Optuna's."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of these."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None, log: bool
    ) -> float:
        """A number."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """A whole number."""


@dataclass(frozen=True)
class Among:
    """One of several values, each as it is typed."""

    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.values)) != len(self.values):
            raise ValueError("a value stands there twice")

    def __str__(self) -> str:
        """As it is typed."""
        return f"choice({','.join(self.values)})"

    def suggest(self, trial: Asked, key: str) -> str:
        """The value that is tried, as it is typed."""
        return str(trial.suggest_categorical(key, list(self.values)))

    def checks(self, end: int) -> list[str]:
        """Values to look at before any is tried: all of them."""
        return list(self.values)


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, both included; drawn evenly, or evenly in its logarithm.

    `step`: only low and whole steps above it. `whole`: whole numbers.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)) or self.low >= self.high:
            raise ValueError("an interval goes from a number to a larger one")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic interval begins above 0")
        if self.log and self.step is not None:
            raise ValueError("steps are even, so they can't be logarithmic too")

    def __str__(self) -> str:
        """As it is typed."""
        inner = f"interval({self._spelled(self.low)},{self._spelled(self.high)})"
        if self.step is not None:
            return f"range({self.low:g},{self.high + self.step:g},{self.step:g})"
        inner = f"int({inner})" if self.whole else inner
        return f"tag(log,{inner})" if self.log else inner

    def suggest(self, trial: Asked, key: str) -> str:
        """The number that is tried, as it is typed."""
        if self.whole:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return str(trial.suggest_int(key, low, high, step=step, log=self.log))
        value = trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log)
        return self._spelled(min(max(_rounded(value), self.low), self.high))

    def checks(self, end: int) -> list[str]:
        """Values to look at before any is tried: the low end (0), or the high one (-1)."""
        return [self._spelled((self.low, self.high)[end])]

    def holds(self, value: Any) -> bool:
        """Whether it is a number that may be tried."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            return False
        steps = (value - self.low) / (self.step or 1)
        return self.step is None or math.isclose(steps, round(steps), abs_tol=1e-9)

    def _spelled(self, value: float) -> str:
        return str(int(value)) if self.whole else repr(float(value))


Range = Among | Between
"""What a key may be."""


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
