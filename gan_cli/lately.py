"""What the rows of `metrics.jsonl` say of the steps since a run was last looked at."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from statistics import median

NORM = "grad_norm/"
"""What the norms of the players' gradients are called in a row."""

FIRST = 20
"""Updates of a player that stand for its first gradient."""

_STEP = re.compile(rb'\{"step": (\d+)')

Row = dict[str, float]


class Lately:
    """The rows after a step, read as they come: what is told depends on the file alone.

    Raises OSError when it can't be read.
    """

    def __init__(self, path: Path, step: int):
        self._path, self._offset = path, 0
        with path.open("rb") as lines:
            for line in lines:
                match = _STEP.match(line)
                if not match or int(match[1]) > step:
                    break
                self._offset += len(line)

    def read(self) -> list[Row]:
        """The rows that are new since the last time; numbers that are not finite are that here."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = (json.loads(line) for line in whole.splitlines())
        return [{name: float(value) for name, value in row.items()} for row in found]


def norms(rows: Iterable[Row]) -> dict[str, float]:
    """The median norm of each player's gradient, and that of the first of these updates."""
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if name.startswith(NORM) and math.isfinite(value):
                columns.setdefault(name.removeprefix(NORM), []).append(value)
    told = {f"gradient/{name}": median(column) for name, column in columns.items()}
    return told | {f"first/{name}": median(column[:FIRST]) for name, column in columns.items()}


def failed(rows: Iterable[Row]) -> tuple[int, int] | None:
    """The first step at which a number was not finite, and how many of them there were."""
    for row in rows:
        if bad := sum(not math.isfinite(value) for value in row.values()):
            return int(row["step"]), bad
    return None
