"""Runs in groups that differ in nothing but the seed, and the groups in order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from gan_cli.study.paired import Difference, Spread, difference
from gan_cli.study.result import Result, Value
from gan_cli.study.settings import agreed, key_values, natural, spelled, telling

Unit = Hashable
"""What two groups share runs by: the seed, and the settings that are averaged over."""


@dataclass(frozen=True)
class Figure:
    """A column of numbers: 1 in `better` where more is better, -1 where less is, 0 where neither.

    `flags` say in what other ways it was measured, each by how many runs: those don't count.
    """

    name: str
    better: int = 0
    flags: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Group:
    """Runs of the same settings: `key` spells those that tell it from others."""

    key: tuple[str, ...]
    results: list[Result]
    values: dict[str, dict[Unit, float]]

    @property
    def states(self) -> Counter[str]:
        """How many of its runs are in each state."""
        return Counter(result.state for result in self.results)

    @property
    def step(self) -> int:
        """How far the furthest of its runs has come."""
        return max((result.step for result in self.results), default=0)

    def called(self, columns: Sequence[str]) -> str:
        """Its settings as they are typed, those that it has."""
        pairs = zip(columns, self.key, strict=True)
        return " ".join(f"{key}={value}" for key, value in pairs if value) or "all runs"

    def spread(self, figure: str) -> Spread | None:
        """Mean and deviation over its runs; None where none has the figure."""
        return Spread.of(self.values.get(figure, {}).values())

    def mean(self, figure: str) -> float:
        """The mean over its runs, NaN where there is none."""
        found = self.spread(figure)
        return math.nan if found is None else found.mean

    def less(self, other: Group, figure: Figure) -> Difference:
        """Its figure less that of another group, over what they share."""
        none: dict[Unit, float] = {}
        mine, theirs = self.values.get(figure.name, none), other.values.get(figure.name, none)
        return difference(mine, theirs, figure.better)


@dataclass(frozen=True)
class Board:
    """Groups in order, the settings that tell them apart, and the figures that are compared."""

    columns: list[str]
    figures: list[Figure]
    groups: list[Group]
    unreadable: list[Result]
    twice: int = 0

    @property
    def results(self) -> list[Result]:
        """Every run of every group."""
        return [result for group in self.groups for result in group.results]


def board(
    results: Sequence[Result], names: Sequence[str] = (), by: Sequence[str] | None = None
) -> Board:
    """Results in groups, the best first by the first of the figures; `by` names other settings to
    group by than all that tell runs apart: then the rest is averaged over, and paired by."""
    readable = [result for result in results if result.settings]
    unreadable = [result for result in results if not result.settings]
    known = [result.settings for result in readable]
    apart = telling(known, [result.typed for result in readable])
    columns = apart if by is None else [*by]
    rest = [key for key in apart if key not in columns]
    figures = [_figure(name, readable) for name in names or usual(readable)]
    wanted = {figure.name: _standard(figure.name, readable) for figure in figures}
    chosen: dict[tuple[str, ...], dict[Unit, Result]] = {}
    for result in sorted(readable, key=_furthest):
        unit = (result.seed, *key_values(result.settings, rest))
        chosen.setdefault(key_values(result.settings, columns), {})[unit] = result
    groups = [_group(key, runs, wanted) for key, runs in chosen.items()]
    twice = len(readable) - sum(len(group.results) for group in groups)
    made = Board(columns, figures, groups, unreadable, twice)
    return arranged(made, figures[0].name if figures else "")


def usual(results: Sequence[Result]) -> list[str]:
    """The figures to compare where none is named: those of evaluations, or else the last losses.

    First the one that the runs chose their best checkpoint by, or else a distance.
    """
    measured = [{n: one.better for n, one in r.figures.items() if one.metric} for r in results]
    ways = {name: better for each in measured for name, better in each.items()}
    chosen = Counter(result.best for result in results if result.best in ways)
    order = {-1: 0, 1: 1, 0: 2}
    known = agreed(measured)
    first = sorted(known, key=lambda name: (-chosen[name], order[ways[name]]))[:1]
    losses = agreed([name for name in r.figures if name.startswith("loss/")] for r in results)
    return [*first, *(name for name in known if name not in first)] or losses


def arranged(made: Board, by: str, backwards: bool = False) -> Board:
    """The board in the order of a figure (the best first), a setting, `step` or `name`."""
    better = {figure.name: figure.better for figure in made.figures}
    groups = sorted(made.groups, key=lambda group: [natural(part) for part in group.key])
    if by in made.columns:
        at = made.columns.index(by)
        groups.sort(key=lambda group: natural(group.key[at]))
    elif by in better:
        groups.sort(key=lambda group: _rank(group.mean(by), better[by]))
    elif by == STEP:
        groups.sort(key=lambda group: -group.step)
    if backwards:
        groups.reverse()
    return Board(made.columns, made.figures, groups, made.unreadable, made.twice)


STEP = "step"


def _rank(mean: float, better: int) -> tuple[bool, float]:
    return (math.isnan(mean), 0.0 if math.isnan(mean) else -(better or -1) * mean)


def _furthest(result: Result) -> tuple[int, bool, str]:
    """Of two runs of one seed the later in this order counts: the one trained furthest."""
    return result.step, bool(result.figures), str(result.folder.path)


def _order(result: Result) -> tuple[list[tuple[int, float, str]], int, str]:
    return natural(result.name), result.seed, str(result.folder.path)


def _group(
    key: tuple[str, ...], runs: Mapping[Unit, Result], wanted: Mapping[str, Value | None]
) -> Group:
    values: dict[str, dict[Unit, float]] = {name: {} for name in wanted}
    for name, standard in wanted.items():
        for unit, result in runs.items():
            one = result.figures.get(name)
            if one is not None and standard is not None and not one.differs(standard):
                values[name][unit] = one.value
    return Group(key, sorted(runs.values(), key=_order), values)


def _standard(name: str, results: Sequence[Result]) -> Value | None:
    """The way a figure was measured in most runs; of two, with the more samples."""
    kinds = _kinds(name, results)
    return kinds[0][0] if kinds else None


def _kinds(name: str, results: Sequence[Result]) -> list[tuple[Value, int]]:
    """The ways a figure was measured, the most usual first, and by how many runs each."""
    kinds: dict[str, tuple[Value, int]] = {}
    for result in results:
        if one := result.figures.get(name):
            way = _way(one)
            first, count = kinds.get(way, (one, 0))
            kinds[way] = first, count + 1
    order = sorted(kinds.items(), key=lambda kind: (-kind[1][1], -_samples(kind[1][0]), kind[0]))
    return [kind for _, kind in order]


def _way(one: Value) -> str:
    protocol = one.protocol
    if protocol is None:
        return ""
    rest = {key: getattr(protocol, key) for key in sorted(vars(protocol).keys() - {"settings"})}
    return spelled([rest, protocol.settings.get(one.metric)])


def _samples(one: Value) -> int:
    fake = one.protocol.fake if one.protocol else 0
    return fake if type(fake) is int else 0


def _figure(name: str, results: Sequence[Result]) -> Figure:
    kinds = _kinds(name, results)
    if not kinds:
        return Figure(name)
    standard = kinds[0][0]
    flags = tuple((_said(one, standard), count) for one, count in kinds[1:])
    return Figure(name, standard.better, flags)


def _said(one: Value, standard: Value) -> str:
    return "; ".join(one.differs(standard)) or "another protocol"
