"""The laboratory: short experiments that show why, each with a table, a picture and a verdict.

An experiment is a module of this package with a function `run`. Its docstring says which question
it answers, and whose; the docstring's first line is what `gan lab` lists. There is nothing to
register. Experiments use the losses, penalties, players and dynamics that a training uses, so that
what they confirm is confirmed of those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

Cell = str | float | int | bool | None
"""What stands in a table; None is a gap."""

Say = Callable[[str], None]
"""Tells whoever waits how far the experiment is."""


@dataclass(frozen=True)
class Table:
    """Rows under a head; `digits` are the significant ones its numbers are shown with."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    digits: int = 4

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"{self.title}: {len(row)} cells under {len(self.head)} columns")


@dataclass(frozen=True)
class Picture:
    """A picture or an animation: the name of its file, the file, and what it shows."""

    name: str
    data: bytes
    about: str


@dataclass(frozen=True)
class Claim:
    """What a paper says, the figure known, the figure seen here, and whether they agree."""

    text: str
    expected: Cell
    seen: Cell
    holds: bool


@dataclass(frozen=True)
class Report:
    """What came out of an experiment. `words`: what there is to learn from it, a paragraph."""

    title: str
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    claims: tuple[Claim, ...]
    words: str

    @property
    def holds(self) -> bool:
        """Whether every claim does."""
        return all(claim.holds for claim in self.claims)


class Experiment(Protocol):
    """A module of this package."""

    def run(self, quick: bool, seed: int, say: Say) -> Report:
        """Do it, in a minute at most if `quick`; the same numbers every time on one machine."""
        ...


def close(text: str, expected: float, seen: float, within: float) -> Claim:
    """The claim that a number is the known one, but for an error of `within`."""
    return Claim(text, expected, seen, abs(seen - expected) <= within)


def below(text: str, limit: float, seen: float) -> Claim:
    """The claim that a number is below a limit."""
    return Claim(text, f"< {limit:.4g}", seen, seen < limit)


def above(text: str, limit: float, seen: float) -> Claim:
    """The claim that a number is above a limit."""
    return Claim(text, f"> {limit:.4g}", seen, seen > limit)


def same(text: str, expected: str, seen: str) -> Claim:
    """The claim that an outcome is the known one."""
    return Claim(text, expected, seen, seen == expected)
