"""Two files of metrics, row by row: from where on they are not the same, and by how much."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_cli.tail import every_row


@dataclass(frozen=True)
class Gap:
    """At this step a column differs by this share of its size; an infinite one if only one has it.

    The size is that of the column so far, on the mean, where the number itself is smaller: a loss
    that crosses zero has no size of its own there.
    """

    step: int
    column: str
    share: float

    def __str__(self) -> str:
        if math.isinf(self.share):
            return f"step {self.step:,}: {self.column} is not a number in both"
        return f"step {self.step:,}: {self.column} differs by {self.share:.1e} of its size"


@dataclass
class Column:
    """One column: in how many rows it was the same, or not; where it first and most was not."""

    name: str
    rows: int = 0
    differing: int = 0
    first: Gap | None = None
    worst: Gap | None = None
    _size: float = 0.0

    def add(self, step: int, a: Any, b: Any) -> Gap | None:
        """Compare two values; the gap, where they are not the same."""
        self.rows += 1
        one, other = _number(a), _number(b)
        if one is not None and math.isfinite(one):
            self._size += (abs(one) - self._size) / self.rows
        if type(a) is type(b) and a == b:
            return None
        gap = Gap(step, self.name, self._share(one, other))
        self.differing += 1
        self.first = self.first or gap
        if self.worst is None or gap.share > self.worst.share:
            self.worst = gap
        return gap

    def _share(self, one: float | None, other: float | None) -> float:
        if one is None or other is None or not math.isfinite(one - other):
            return math.inf
        size = max(abs(one), abs(other), self._size)
        return abs(one - other) / size if size else 0.0


@dataclass
class Course:
    """The rows of a run, and of the same run trained again, as far as they have been compared.

    `first`: where they are no longer the same bits; `apart`: where they differ by more than the
    tolerance, which is a share. `rows` were compared, `missing` are in one of the two alone.
    """

    original: Path
    again: Path
    tolerance: float
    begin: int = 0
    columns: dict[str, Column] = field(default_factory=dict)
    first: Gap | None = None
    apart: Gap | None = None
    rows: int = 0
    missing: int = 0
    step: int = 0

    def __post_init__(self) -> None:
        self._theirs = (row for row in every_row(self.original) if row["step"] > self.begin)
        self._next = next(self._theirs, {})
        self._offset = 0

    def follow(self, until: int) -> None:
        """Compare what there is by now, up to this step."""
        for mine in self._ours(until):
            while self._next and self._next["step"] < mine["step"]:
                self.missing += 1
                self._next = next(self._theirs, {})
            if self._next.get("step") == mine["step"]:
                self._compare(self._next, mine)
                self._next = next(self._theirs, {})
            elif self._next:
                self.missing += 1

    def _compare(self, theirs: dict[str, Any], mine: dict[str, Any]) -> None:
        step = self.step = mine["step"]
        self.rows += 1
        gaps = []
        for name in theirs | mine:
            column = self.columns.setdefault(name, Column(name))
            gaps.append(column.add(step, theirs.get(name), mine.get(name)))
        worst = max((gap for gap in gaps if gap), key=lambda gap: gap.share, default=None)
        if worst is not None:
            self.first = self.first or worst
            if worst.share > self.tolerance:
                self.apart = self.apart or worst

    def _ours(self, until: int) -> Iterator[dict[str, Any]]:
        """Whole rows of the new file that have not been read yet, up to a step."""
        if not self.again.is_file():
            return
        with self.again.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                row = json.loads(line)
                if row["step"] > until:
                    return
                self._offset += len(line)
                if row["step"] > self.begin:
                    yield row


def _number(value: Any) -> float | None:
    """A value as a number; None where it is none. What is not finite is written as a word."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
