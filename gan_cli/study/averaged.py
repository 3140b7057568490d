"""Curves of several runs as one: their mean and deviation over the steps that all have."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from gan_cli.study.paired import Spread

POINTS = 300
"""Places of a mean curve, about, at most."""


@dataclass(frozen=True)
class Course:
    """A number of one run: where it was measured, in rising order, and what it was."""

    at: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Averaged:
    """The mean of several courses and their sample deviation (0 of one), where all of them are."""

    at: list[float]
    mean: list[float]
    deviation: list[float]
    n: int


def averaged(courses: Sequence[Course]) -> Averaged:
    """Mean and deviation, each course a straight line between what was measured.

    Only from where the last one begins to where the first one ends: beyond, the mean would jump
    when a run leaves it. Nothing where they don't overlap.
    """
    known = [course for course in map(finite, courses) if course.at]
    if not known:
        return Averaged([], [], [], 0)
    first, last = max(c.at[0] for c in known), min(c.at[-1] for c in known)
    places = sorted({at for course in known for at in course.at if first <= at <= last})
    stride = max(1, math.ceil(len(places) / POINTS))
    places = [*places[:-1:stride], *places[-1:]]
    spreads = [Spread.of(_at(course, place) for course in known) for place in places]
    told = [spread for spread in spreads if spread is not None]
    means, deviations = [s.mean for s in told], [s.deviation or 0.0 for s in told]
    return Averaged(places, means, deviations, len(known))


def finite(course: Course) -> Course:
    """The course up to its first value that is no number: there the run has broken down."""
    told = [math.isfinite(value) for value in course.values]
    count = told.index(False) if False in told else len(told)
    return Course(course.at[:count], course.values[:count])


def _at(course: Course, place: float) -> float:
    """The course at a place within it."""
    left = bisect_right(course.at, place) - 1
    if left + 1 >= len(course.at):
        return course.values[-1]
    x0, x1 = course.at[left], course.at[left + 1]
    y0, y1 = course.values[left], course.values[left + 1]
    return y0 + (place - x0) / (x1 - x0) * (y1 - y0)
