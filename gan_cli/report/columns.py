"""Columns of numbers in few blocks of rows: the least, mean and most of each, nothing left out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

BLOCKS = 500
"""Blocks of rows that are kept, where there are as many rows; up to twice as many."""

COLUMNS = 200
"""Columns of a table, at most."""

LARGEST = 2**53
"""No step is larger: a browser's whole numbers end here."""

STEP = "step"
"""The column that the others go along."""

_NOT_FINITE = frozenset({"nan", "inf", "-inf"})


@dataclass
class Column:
    """A column in blocks of rows: the mean, least and most of the finite numbers in each, None
    where there are none. `broke`: the first step at which it was not finite."""

    mean: list[float | None] = field(default_factory=list)
    low: list[float | None] = field(default_factory=list)
    high: list[float | None] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    broke: int | None = None
    last: float | None = None
    waiting: list[float] = field(default_factory=list)

    def close(self, blocks: int) -> None:
        """What waits becomes the block after so many."""
        found, self.waiting = self.waiting, []
        missing = blocks - len(self.mean)
        for column in (self.mean, self.low, self.high):
            column.extend([None] * missing)
        self.counts += [0] * missing
        self.mean.append(sum(value / len(found) for value in found) if found else None)
        self.low.append(min(found, default=None))
        self.high.append(max(found, default=None))
        self.counts.append(len(found))
        self.last = found[-1] if found else self.last

    def halve(self) -> None:
        """Two blocks become one."""
        halves = range(0, len(self.mean), 2)
        self.mean = [self._both(at) for at in halves]
        self.low = [_of(min, self.low[at : at + 2]) for at in halves]
        self.high = [_of(max, self.high[at : at + 2]) for at in halves]
        self.counts = [sum(self.counts[at : at + 2]) for at in halves]

    def _both(self, at: int) -> float | None:
        pairs = zip(self.mean[at : at + 2], self.counts[at : at + 2], strict=True)
        parts = [(mean, count) for mean, count in pairs if mean is not None]
        whole = sum(count for _, count in parts)
        return sum(mean * (count / whole) for mean, count in parts) if parts else None


@dataclass
class Table:
    """Columns by name. `steps` are those at which a block ends, `each` the rows of a block (of the
    last: at most), `rows` all there were."""

    steps: list[int] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    each: int = 1
    rows: int = 0

    def close(self, step: int, blocks: int) -> None:
        """End a block at this step; where there are too many, two become one."""
        for column in self.columns.values():
            column.close(len(self.steps))
        self.steps.append(step)
        if len(self.steps) == 2 * blocks:
            self.each *= 2
            self.steps = self.steps[1::2]
            for column in self.columns.values():
                column.halve()


def table(rows: Iterable[dict[str, Any]], blocks: int = BLOCKS) -> Table:
    """The numbers of rows that say their step, in `blocks` to `2 * blocks` blocks, in one pass.

    A number that isn't finite is part of no block; where it was met first is noted.
    """
    found, waiting = Table(), 0
    for row in rows:
        step = row[STEP]
        if not 0 <= step < LARGEST:
            continue
        _take(found, row, step)
        found.rows += 1
        waiting += 1
        if waiting == found.each:
            waiting = 0
            found.close(step, blocks)
    if waiting:
        found.close(step, blocks)
    return found


def _take(found: Table, row: dict[str, Any], step: int) -> None:
    """The numbers of a row join those that wait."""
    columns = found.columns
    for name, value in row.items():
        finite = _FINITE.get(type(value))
        if finite is None or name == STEP or (finite is _never and value not in _NOT_FINITE):
            continue
        if name not in columns:
            if len(columns) == COLUMNS:
                continue
            columns[name] = Column()
        if finite(value):
            columns[name].waiting.append(value)
        elif columns[name].broke is None:
            columns[name].broke = step


def _whole(value: int) -> bool:
    return abs(value) < 2**63


def _never(value: str) -> bool:
    return False


_FINITE: dict[type, Any] = {float: math.isfinite, int: _whole, str: _never}


def _of(which: Any, values: list[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return which(found) if found else None
