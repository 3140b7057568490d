"""A run directory as others see it: what was asked, what has become of it, and its numbers."""

from __future__ import annotations

import math
import re
import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gan_cli import strict
from gan_cli.errors import BadFile, UserMistake
from gan_cli.record import Record, flat
from gan_cli.run import CONTROL
from gan_cli.scores import Scores
from gan_cli.status import NO_STATUS, Status
from gan_cli.study.ledger import LEDGER, Ledger
from gan_cli.tail import every_row, held_rows, last_row, last_rows

_SAMPLE = re.compile(r"step-(\d{1,15})\.png")
LATELY = 100
"""Rows that a mean of the last steps is over, at most."""

_PASSED = re.compile(r"^\.|\.old-\d+$")
"""Directories that are passed by: hidden ones, and runs that `fresh` moved aside."""

MOST = 1000
"""Rows of metrics that are kept of a run, where there are as many; up to twice as many."""

UNREAD = 1000
"""Rows of evaluations that are none, after which no more are looked at."""

COLUMNS = 256
"""Numbers of a row, at most, and columns."""

_DEEP = 3
"""Directories within one another that are looked through for runs."""


class Folder:
    """A run directory; each part of it is read when it is asked for, and once.

    What is missing, half written or not to be read is left out where a run can be without it;
    `record` and `status` raise BadFile, and UserMistake where there is no run.
    """

    def __init__(self, path: Path, name: str = ""):
        self.path = path
        self.name = name or path.name
        """What it is called: in a sweep, by what differs."""

    @cached_property
    def record(self) -> Record:
        """How it was made: command, settings, versions, machine, sessions."""
        return Record.read(self.path)

    @cached_property
    def status(self) -> Status:
        """What has become of it."""
        told = Status.read(self.path)
        if told.steps > told.step or told.reason != NO_STATUS:
            return told
        asked = self.config.get("steps")  # of a run from before there was a status
        steps = asked if type(asked) is int else told.step
        return replace(told, state=_ENDED[told.step >= steps > 0], steps=max(steps, told.step))

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its settings by dotted key, without those that say where and how it is shown."""
        settings = flat(self.record.config)
        return {k: v for k, v in settings.items() if k.partition(".")[0] not in CONTROL}

    @property
    def choices(self) -> dict[str, str]:
        """The name chosen in each group."""
        return self.record.choices

    @property
    def seed(self) -> int:
        """The seed of its randomness; 0 where it says none."""
        found = self.config.get("seed")
        return found if type(found) is int else 0

    @cached_property
    def last(self) -> dict[str, Any]:
        """The last row of its metrics, as numbers; {} before the first."""
        return _numbers(last_row(self.path / "metrics.jsonl"))

    @cached_property
    def lately(self) -> dict[str, float]:
        """The means of its metrics over the last tenth of its steps, LATELY rows of it at most."""
        rows = [_numbers(row) for row in last_rows(self.path / "metrics.jsonl", LATELY)]
        rows = [row for row in rows if 10 * row["step"] > 9 * rows[0]["step"]]
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row[name] for row in rows if name in row] for name in names}
        return {name: sum(values) / len(values) for name, values in columns.items()}

    def metrics(self, most: int = MOST) -> dict[str, list[float]]:
        """Every column of its metrics, `most` rows (MOST at the most) up to twice as many, evenly
        spread, and the last; a number that a row has not is NaN."""
        kept, last = self._thinned
        stride = 1
        while len(kept.get("step", ())) > 2 * most * stride:
            stride *= 2
        columns = {name: [*values[::stride]] for name, values in kept.items()}
        if last and columns["step"][-1] < last["step"]:
            for name, values in columns.items():
                values.append(last.get(name, math.nan))
        return columns

    @cached_property
    def _thinned(self) -> tuple[dict[str, array[float]], dict[str, float]]:
        """Columns of its metrics, of 2 * MOST rows at most, and the last row."""
        rows: list[dict[str, float]] = []
        stride, last = 1, dict[str, Any]()
        for number, last in enumerate(every_row(self.path / "metrics.jsonl")):
            if number % stride:
                continue
            rows.append(_numbers(last))
            if len(rows) > 2 * MOST:
                rows, stride = rows[::2], 2 * stride
        end = _numbers(last)
        names = dict.fromkeys(name for row in (*rows, end) for name in row)
        names = dict.fromkeys([*names][:COLUMNS])
        return {n: array("d", (row.get(n, math.nan) for row in rows)) for n in names}, end

    @cached_property
    def evaluations(self) -> list[tuple[int, Scores]]:
        """What was measured of it while it trained, by step."""
        found = []
        none = 0
        for row in held_rows(self.path / "evaluations.jsonl"):
            try:
                found.append((int(row["step"]), Scores.parse(row.get("scores"))))
            except BadFile:
                none += 1
                if none > UNREAD:
                    break
        return found

    @cached_property
    def scores(self) -> Scores | None:
        """The newest measurement: a file of `gan evaluate`, of the step trained to or past it,
        else the last while it trained."""
        last = self._last_evaluation()
        files = sorted((self.path / "evaluations").glob("*.json"), key=_modified, reverse=True)
        for path in files:
            try:
                found = Scores.read(path)
            except BadFile:
                continue
            if last is None or _step_of(found) >= last[0]:
                return found
        return last[1] if last else None

    def _last_evaluation(self) -> tuple[int, Scores] | None:
        """The last of `evaluations`, without reading the others where it can be read."""
        row = last_row(self.path / "evaluations.jsonl")
        with suppress(BadFile):
            return (row["step"], Scores.parse(row.get("scores"))) if row else None
        return self.evaluations[-1] if self.evaluations else None

    @cached_property
    def clock(self) -> list[tuple[int, float]]:
        """Seconds of training after a step, over all sessions."""
        rows = map(_numbers, held_rows(self.path / "clock.jsonl"))
        return [(int(row["step"]), row["seconds"]) for row in rows if "seconds" in row]

    @cached_property
    def diagnosis(self) -> list[dict[str, Any]]:
        """What was noticed while it trained: rows of a step, its light and its signs."""
        return held_rows(self.path / "diagnosis.jsonl")

    @property
    def samples(self) -> list[tuple[int, Path]]:
        """The grids drawn while it trained, by step."""
        found = ((_SAMPLE.fullmatch(path.name), path) for path in _inside(self.path / "samples"))
        return sorted((int(match[1]), path) for match, path in found if match)

    @property
    def age(self) -> float:
        """Seconds since something of it was written last."""
        paths = (self.path / name for name in ("metrics.jsonl", "status.json", "run.json"))
        newest = max((_modified(path) for path in paths), default=0.0)
        return max(0.0, time.time() - newest)


_ENDED = {True: "done", False: "interrupted"}


def find(paths: Iterable[str | Path]) -> list[Folder]:
    """The runs that these are, or hold: run directories, sweeps, and directories of those.

    Each once, in the order given, those of a directory by name. UserMistake for a path where there
    is none, BadFile for a ledger that is named and can't be read.
    """
    found: dict[Path, Folder] = {}
    for path in map(Path, paths):
        here = list(_runs(path, _DEEP))
        if not here:
            what = "holds no run" if path.is_dir() else "is no directory of a run"
            raise UserMistake(f"{strict.clean(path)} {what}: gan train makes one; gan list")
        for folder in here:
            found.setdefault(folder.path.resolve(), folder)
    return list(found.values())


def _runs(path: Path, deep: int) -> Iterator[Folder]:
    if is_run(path):
        yield Folder(path)
    elif is_run(path, LEDGER):
        try:
            jobs = Ledger.read(path).jobs
        except BadFile:
            if deep == _DEEP:
                raise
            return  # not what was asked for: the runs are found beside it
        for job in jobs:
            if is_run(Path(job.run)):
                yield Folder(Path(job.run), job.name)
    elif deep:
        for inner in sorted(_inside(path)):
            if _is_directory(inner) and not inner.is_symlink() and not _PASSED.search(inner.name):
                yield from _runs(inner, deep - 1)


def is_run(path: Path, file: str = "run.json") -> bool:
    """Whether a run is there, or what has such a file; of what may not be looked at, no."""
    try:
        return (path / file).is_file()
    except OSError:
        return False


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _inside(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError:
        return []


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _step_of(scores: Scores) -> int:
    found = scores.checkpoint.get("step")
    return found if type(found) is int else -1


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of a row; "nan" and "inf" are numbers too."""
    told: dict[str, float] = {"step": row["step"]} if row else {}
    for name, value in row.items():
        if len(told) == COLUMNS:
            break
        if type(value) in (int, float):
            told[name] = value
        elif value in ("nan", "inf", "-inf"):
            told[name] = float(value)
    return told
