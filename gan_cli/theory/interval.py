"""Confidence in a number: from the blocks of a sample, or from repeating it."""

from __future__ import annotations

import math
from collections.abc import Sequence

CONFIDENCE = 0.95
"""The share of intervals that hold the true value."""


def jackknife(without: Sequence[float]) -> float:
    """The half width of an interval, from the values with one block of the samples left out each.

    The delete-a-group jackknife: the variance is (B-1)/B Σ (θ_b - mean)², and the interval that of
    Student's t with B - 1 degrees of freedom (Efron and Stein 1981, The jackknife estimate of
    variance; Shao and Wu 1989 for numbers that aren't smooth). Unlike the bootstrap it repeats no
    sample, which would look like a copy to whatever is a matter of neighbours; and a bias that
    depends on the number of samples does not count as spread.
    """
    blocks = len(without)
    mean = math.fsum(without) / blocks
    square = math.fsum((value - mean) ** 2 for value in without)
    return student(blocks - 1) * math.sqrt((blocks - 1) / blocks * square)


def repeats(values: Sequence[float]) -> float:
    """The half width of the interval of a mean, from independent values."""
    count = len(values)
    mean = math.fsum(values) / count
    square = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return student(count - 1) * math.sqrt(square / count)


def student(degrees: int) -> float:
    """How many standard errors a 95 % interval reaches, by Student's t; ValueError below one."""
    from scipy.special import stdtrit  # the quantile of t; scipy.stats takes five times as long

    if degrees < 1:
        raise ValueError("an interval takes two values or more")
    return float(stdtrit(degrees, (1 + CONFIDENCE) / 2))


NORMAL = 1.959963984540054
"""How many standard errors a 95 % interval reaches where the error itself is known."""
