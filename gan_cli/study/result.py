"""What one run brings to a comparison: its settings, its state, and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gan_cli.errors import GanError
from gan_cli.scores import Protocol, Scores
from gan_cli.study.folder import Folder
from gan_cli.study.settings import Settings, settings, typed
from gan_cli.study.where import number
from gan_cli.tail import row_at

UNREADABLE = "unreadable"
"""The state of a directory that calls itself a run, and can't be read as one."""

UNWELL = ("failed", "collapsed", UNREADABLE)
"""States whose reason is told."""

ASIDE = ("step", "images", "updates/", "learning_rate/")
"""Columns of the metrics that count rather than measure."""

LAST, BEST = "last", "best"


@dataclass(frozen=True)
class Value:
    """A figure of one run: 1 in `better` where more is better, -1 where less is, 0 where neither.

    `protocol` and `metric` say how it was measured; a loss has none.
    """

    value: float
    better: int = 0
    metric: str = ""
    protocol: Protocol | None = None

    def differs(self, other: Value) -> list[str]:
        """What keeps the two from being compared."""
        if self.protocol is None or other.protocol is None:
            return [] if self.protocol is other.protocol else ["one of them is of training itself"]
        if self.protocol is other.protocol:
            return []
        return self.protocol.differences(other.protocol, {self.metric})


@dataclass(frozen=True)
class Result:
    """A run as a comparison sees it; nothing here is believed, and nothing of it is run."""

    folder: Folder
    name: str
    state: str
    reason: str = ""
    seed: int = 0
    step: int = 0
    steps: int = 0
    settings: Settings = field(default_factory=dict)
    typed: tuple[str, ...] = ()
    figures: Mapping[str, Value] = field(default_factory=dict)
    best: str = ""

    @property
    def told(self) -> dict[str, Any]:
        """All that conditions can ask about, by key."""
        own = {"state": self.state, "seed": self.seed, "step": self.step, "name": self.name}
        return {name: one.value for name, one in self.figures.items()} | self.settings | own


def read(folder: Folder, at: str = LAST) -> Result:
    """What there is of a run now, `at` its last evaluation, each figure's best, or a step.

    A run that can't be read is a result too: its state is UNREADABLE, its reason says why.
    """
    try:
        record, status = folder.record, folder.status
        figures = _MEASURED.get(at, _up_to)(folder, at)
        return Result(
            folder,
            folder.name,
            status.state,
            status.reason,
            folder.seed,
            min(status.step, int(at)) if at.isdigit() else status.step,
            status.steps,
            settings(folder),
            (*typed(record.overrides),),
            figures,
            str(folder.record.config.get(BEST) or ""),
        )
    except (GanError, OSError, ValueError, TypeError) as error:
        return Result(folder, folder.name, UNREADABLE, str(error))


def values(scores: Scores) -> dict[str, Value]:
    """The figures of an evaluation."""
    told = scores.figures.items()
    return {n: Value(one.value, one.better, one.metric, scores.protocol) for n, one in told}


def course(folder: Folder, name: str) -> Iterator[tuple[int, Value]]:
    """A figure of a run over its steps, as far as its newest protocol goes back."""
    told = [(step, values(scores)) for step, scores in folder.evaluations]
    newest = folder.scores
    if newest is not None and type(step := newest.checkpoint.get("step")) is int:
        told += [(step, values(newest))] if not told or step > told[-1][0] else []
    measured = [(step, found[name]) for step, found in told if name in found]
    if measured:
        last = measured[-1][1]
        yield from ((step, one) for step, one in measured if not one.differs(last))
        return
    columns = folder.metrics()
    for at, value in zip(columns.get("step", ()), columns.get(name, ()), strict=False):
        yield int(at), Value(value)


def _trained(row: Mapping[str, Any]) -> dict[str, Value]:
    """The numbers of a row of the metrics, but for those that count."""
    told = ((name, number(value)) for name, value in row.items() if not name.startswith(ASIDE))
    return {name: Value(value) for name, value in told if value is not None}


def _last(folder: Folder, at: str) -> dict[str, Value]:
    """The means of the last part of the run, and its newest evaluation."""
    return _trained(folder.lately) | (values(folder.scores) if folder.scores else {})


def _best(folder: Folder, at: str) -> dict[str, Value]:
    """Each figure where it was best; one that has no better and worse, at the last evaluation."""
    found = _last(folder, at)
    for _, scores in folder.evaluations:
        for name, one in values(scores).items():
            last = found.get(name, one)
            if not one.differs(last) and one.better * one.value > last.better * last.value:
                found[name] = one
    return found


def _up_to(folder: Folder, at: str) -> dict[str, Value]:
    """The newest row and evaluation of a step up to this one."""
    limit = int(at)
    row = row_at(folder.path / "metrics.jsonl", limit)
    known = [scores for step, scores in folder.evaluations if step <= limit]
    return _trained(row) | (values(known[-1]) if known else {})


_MEASURED = {LAST: _last, BEST: _best}
