"""How long it took a run to come to a quality: in steps, images and seconds."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gan_cli.study.folder import Folder
from gan_cli.study.paired import Spread
from gan_cli.study.result import course
from gan_cli.study.where import Condition, number
from gan_cli.tail import row_at


@dataclass(frozen=True)
class Reached:
    """Where a run first met a condition; None where that isn't known."""

    steps: float
    images: float | None
    seconds: float | None


@dataclass(frozen=True)
class Reach:
    """How many of n runs came to it, and what that took those that did."""

    goal: str
    n: int
    came: int
    steps: Spread | None
    images: Spread | None
    seconds: Spread | None


def reached(folder: Folder, goal: Condition) -> Reached | None:
    """The first measured step at which the condition holds; None if there was none."""
    for step, one in course(folder, goal.key):
        if goal.holds({goal.key: one.value}):
            return Reached(step, along(folder, "images")(step), along(folder, "seconds")(step))
    return None


def reach(folders: Iterable[Folder], goal: Condition) -> Reach:
    """Of several runs; those that never came to it are counted, and in no mean."""
    found = [reached(folder, goal) for folder in folders]
    came = [one for one in found if one is not None]
    return Reach(
        str(goal),
        len(found),
        len(came),
        Spread.of(one.steps for one in came),
        Spread.of(one.images for one in came if one.images is not None),
        Spread.of(one.seconds for one in came if one.seconds is not None),
    )


def along(folder: Folder, over: str) -> Callable[[float], float | None]:
    """How far a run was after a step: in steps, images or seconds of training."""
    return _ALONG[over](folder)


def _images(folder: Folder) -> Callable[[float], float | None]:
    def images(step: float) -> float | None:
        row = row_at(folder.path / "metrics.jsonl", math.ceil(step))
        return number(row.get("images"))

    return images


def _seconds(folder: Folder) -> Callable[[float], float | None]:
    def seconds(step: float) -> float | None:
        row = row_at(folder.path / "clock.jsonl", math.floor(step))
        if row.get("step") == step:
            return number(row.get("seconds"))
        steps = [float(at) for at, _ in folder.clock]
        return between(steps, [told for _, told in folder.clock], step)

    return seconds


_ALONG: dict[str, Callable[[Folder], Callable[[float], float | None]]] = {
    "step": lambda folder: float,
    "images": _images,
    "seconds": _seconds,
}
OVER = tuple(_ALONG)
"""What the course of a run can go along."""


def between(x: Sequence[float], y: Sequence[float], at: float) -> float | None:
    """y at a place of x, by a straight line between its neighbours; None outside, but for the
    stretch from nothing at 0 to the first."""
    right = bisect_left(x, at)
    if right >= min(len(x), len(y)):
        return None
    before = (x[right - 1], y[right - 1]) if right else (0.0, 0.0)
    share = (at - before[0]) / (x[right] - before[0]) if x[right] > before[0] else 1.0
    return before[1] + share * (y[right] - before[1])
