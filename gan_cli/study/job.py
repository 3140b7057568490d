"""One job of a sweep, as its ledger knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gan_cli.run import name as file_name
from gan_cli.status import STATES

ENDED = frozenset({"done", "collapsed"})
"""What has a result: a job that is so is not run again."""

PENDING = STATES[0]
"""What has not begun."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    name: what differs from the others, as `loss=hinge seed=1`; config: the same by key. overrides:
    all that it was asked for. run: its directory, of which others may know as well. figures: its
    last losses, and what was measured of it. seconds of training, over all sessions.
    """

    name: str
    overrides: list[str]
    run: str
    state: str = PENDING
    reason: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    started: str = ""
    ended: str = ""
    seconds: float = 0.0

    @property
    def file(self) -> str:
        """Its name as part of a path."""
        return file_name(self.name.split(" "))

    def check(self) -> None:
        """Raise ValueError for what is no job."""
        mappings = isinstance(self.config, dict) and isinstance(self.figures, dict)
        if not mappings or not isinstance(self.overrides, list):
            raise ValueError("a job has something else where a list or a mapping should be")
        texts = (self.name, self.run, self.state, self.reason, self.started, self.ended)
        lists = (self.overrides, list(self.config), list(self.figures))
        if not all(isinstance(text, str) for text in (*texts, *(t for ts in lists for t in ts))):
            raise ValueError("a job has something else where a text should be")
        if self.state not in STATES:
            raise ValueError(f"a job is {self.state}, which is no state")
        numbers = (self.seconds, *self.figures.values())
        if not all(type(number) in (int, float) for number in numbers):
            raise ValueError("a job has something else where a number should be")
