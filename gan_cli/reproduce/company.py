"""Who goes along while a run is trained again: rows are compared as they are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_cli import strict, tail
from gan_cli.errors import UserMistake
from gan_cli.reproduce.course import Course, Gap
from gan_cli.rewinds import NAME


@dataclass
class Company:
    """Compares every so many steps, up to `end`, and says at once what is not the same.

    steps: of the session's budget, where that is known.

    It ends the run at `end`, and where it has come apart, unless it is to go on. Of a way that the
    first run left again, as its policy went back, nothing is compared: there is nothing of it.
    """

    course: Course
    end: int
    steps: int | None
    every: int
    data: object
    goes_on: bool
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self._returns = returns(self.course.original.parent)
        self._said = False

    def begins(self, fingerprint: str) -> None:
        """UserMistake where the data are other ones than those that the run has learnt from."""
        if self.data not in (None, fingerprint):
            raise UserMistake(
                f"{strict.clean(self.course.original.parent)} learnt from other data than are "
                "there now: put them back as they were"
            )

    def __call__(self, step: int) -> str:
        """Compare; why the run should end, or ''."""
        settled = self._settled(step)
        if step % self.every == 0:
            self.look(int(min(step, settled)))
        if self.course.apart and not self.goes_on:
            return "it has come apart from the first run, and can't come together again"
        done = self.steps != step and self.end <= min(step, settled)
        return "that is as far as is compared" if done else ""

    def look(self, until: int) -> None:
        """Compare what there is, and say so where it is no longer the same."""
        self.course.follow(min(until, self.end))
        if self.course.first and not self._said:
            self._said = True
            self.say(f"not the same bits any more: {self.course.first}")

    def _settled(self, step: int) -> float:
        """Up to which step the way is the one that the first run took in the end."""
        if not self._returns:
            return math.inf
        left = self._returns[len(returns(self.course.again.parent)) :]
        if left and step > left[0][0] + self.every and not self.course.apart:
            gap = Gap(left[0][0], "the way back that the first run took here", math.inf)
            self.course.apart = gap
            self.course.first = self.course.first or gap
        return min((to for _, to in left), default=math.inf)


def returns(run: Path) -> list[tuple[int, int]]:
    """From where to where a run went back, in order; [] where it did not, or none can be read."""
    try:
        found: Any = strict.parse(tail.small(run / NAME))
        return [(int(one["at"]), int(one["to"])) for one in found["returns"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
