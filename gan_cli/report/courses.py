"""Numbers of many runs over their steps, each file read once."""

from __future__ import annotations

import math
from pathlib import Path

from gan_cli.report.columns import Table, table
from gan_cli.study.result import Result, course
from gan_cli.tail import every_row

READ = 100
"""Runs whose metrics are read, at most: they can be long."""

BLOCKS = 120
"""Points of a curve that is read from metrics, at least, where there are as many rows."""

Points = list[tuple[int, float]]


class Courses:
    """The course of a figure of a run: what was measured of it, or else what its metrics say."""

    def __init__(self) -> None:
        self._tables: dict[Path, Table] = {}

    def __call__(self, result: Result, figure: str) -> Points:
        """Steps and finite values; none of a run that has not the figure."""
        known = result.figures.get(figure)
        if known is None:
            return []
        if known.metric:
            found = course(result.folder, figure)
            return [(step, one.value) for step, one in found if math.isfinite(one.value)]
        column = self._table(result.folder.path)
        means = column.columns[figure].mean if figure in column.columns else []
        pairs = zip(column.steps, means, strict=False)
        return [(step, mean) for step, mean in pairs if mean is not None]

    def _table(self, path: Path) -> Table:
        if path not in self._tables:
            if len(self._tables) == READ:
                return Table()
            self._tables[path] = table(every_row(path / "metrics.jsonl"), BLOCKS)
        return self._tables[path]
