"""Means over seeds, and differences between runs that share a seed."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from gan_cli.theory.interval import student


@dataclass(frozen=True)
class Spread:
    """The mean of n numbers and their sample deviation, √(Σ(x − mean)² / (n − 1)).

    One number has no deviation: None.
    """

    n: int
    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """Of these numbers; None of none. What isn't finite, or too large, makes the mean NaN."""
        numbers = sorted(values)  # so that their order changes not a bit
        count = len(numbers)
        if not count:
            return None
        if not all(map(math.isfinite, numbers)):
            return cls(count, math.nan, None)
        if count == 1:
            return cls(1, numbers[0], None)
        if numbers[0] == numbers[-1]:
            return cls(count, numbers[0], 0.0)  # with no rounding
        try:
            mean = math.fsum(numbers) / count
            square = math.fsum((value - mean) ** 2 for value in numbers) / (count - 1)
        except OverflowError:
            return cls(count, math.nan, None)
        return cls(count, mean, math.sqrt(square))


@dataclass(frozen=True)
class Difference:
    """A mean difference over n pairs, its 95 % confidence interval, and what that tells.

    `low` and `high` are None where the pairs are too few; then `words` says why.
    """

    n: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    words: str = ""

    @property
    def told(self) -> bool:
        """Whether the interval keeps clear of zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


SAME = "can't tell"
ONE = "one seed"
UNSHARED = "no seed shared"
UNMEASURED = "not measured"


def difference(
    mine: Mapping[Hashable, float], other: Mapping[Hashable, float], better: int
) -> Difference:
    """Mine less the other, over the keys (seeds) that both have, by Student's t.

    The interval of the mean of the differences, with n − 1 degrees of freedom (Student 1908, The
    probable error of a mean): what seeds have in common, both rise or fall by, cancels. `better`
    is 1 where more is better, -1 where less is, 0 where neither.
    """
    shared = [key for key in mine if key in other]
    if not mine or not other:
        return Difference(0, words=UNMEASURED)
    gaps = Spread.of(mine[key] - other[key] for key in shared)
    if gaps is None:
        return Difference(0, words=UNSHARED)
    if gaps.deviation is None:
        return Difference(gaps.n, gaps.mean, words=ONE if gaps.n == 1 else UNMEASURED)
    half = student(gaps.n - 1) * gaps.deviation / math.sqrt(gaps.n)
    found = Difference(gaps.n, gaps.mean, gaps.mean - half, gaps.mean + half, SAME)
    if not found.told:
        return found
    way = better * gaps.mean
    words = "better" if way > 0 else "worse" if way < 0 else "differs"
    return Difference(found.n, found.mean, found.low, found.high, words)
