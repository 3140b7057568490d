"""A leaderboard as rows of a table: to be read, or with every digit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gan_cli.status import STATES
from gan_cli.study.leaderboard import STEP, Board, Figure, Group, arranged
from gan_cli.study.paired import Difference, Spread
from gan_cli.study.reach import Reach
from gan_cli.study.result import Result
from gan_cli.study.settings import spelled
from gan_cli.written import Cell, setting

Columns = list[tuple[str, Sequence[Cell]]]
"""Headers, each with the cells below it."""

ALIKE = "settings"
"""The heading where all runs have the same."""

REFERENCE = "reference"
LARGE = 1e7
"""From here on a mean is told by its power of ten."""


@dataclass(frozen=True)
class Compared:
    """What was asked for, and what came of it: groups, the one that others are held against, how
    long each took to the goals, and what there is to know about it all."""

    board: Board
    reference: Group | None
    goals: tuple[str, ...]
    reaches: dict[tuple[str, ...], list[Reach]]
    notes: list[str]


@dataclass(frozen=True)
class Sheet:
    """Headers and rows of a table, of which the first `keep` columns say what a row is."""

    headers: list[str]
    rows: list[list[Cell]]
    keep: int


def readable(compared: Compared) -> Sheet:
    """A row a group, what tells most first, numbers rounded to what their deviation allows."""
    board, reference = compared.board, compared.reference
    first, others = next(iter(board.figures), None), board.figures[1:]
    columns: Columns = _settings(board)
    keep = len(columns) + bool(first)
    state = ("state", [_states(group) for group in board.groups])
    settled = all(set(group.states) <= {"done"} for group in board.groups)
    gaps: Columns = []
    if first:
        columns.append(_means(first, board))
        spreads = [group.spread(first.name) for group in board.groups]
        columns.append(("n", [spread.n if spread else 0 for spread in spreads]))
        if reference is not None and len(board.groups) > 1:
            words, *gaps = _differences(first, board, reference)
            columns.append(words)
    columns += [] if settled else [state]
    columns += [*_times(compared), *gaps]
    columns += [_means(figure, board) for figure in others]
    columns.append((STEP, [group.step for group in board.groups]))
    columns += [state] if settled else []
    return _sheet(columns, keep)


def exact(compared: Compared) -> Sheet:
    """A row a group, every number with all its digits in a column of its own."""
    board, reference = compared.board, compared.reference
    columns: Columns = _settings(board)
    keep = len(columns)
    columns.append(("runs", [len(group.results) for group in board.groups]))
    there = [state for state in STATES if any(group.states[state] for group in board.groups)]
    columns += [(state, [group.states[state] for group in board.groups]) for state in there]
    columns.append((STEP, [group.step for group in board.groups]))
    for figure in board.figures:
        spreads = [group.spread(figure.name) for group in board.groups]
        columns += _digits(figure.name, spreads)
        if reference is not None:
            told = [group.less(reference, figure) for group in board.groups]
            columns += _differing(figure.name, told, _words(board, reference, told))
    for index, goal in enumerate(compared.goals):
        each = [compared.reaches[group.key][index] for group in board.groups]
        columns.append((f"{goal} reached", [one.came for one in each]))
        columns += _digits(f"{goal} steps", [one.steps for one in each])
        columns += _digits(f"{goal} images", [one.images for one in each])
        columns += _digits(f"{goal} seconds", [one.seconds for one in each])
    return _sheet(columns, keep)


def each_run(board: Board, by: str, backwards: bool, full: bool) -> Sheet:
    """A row a run, in the order of a figure, a setting, step or name, else that of the groups;
    `full` with where it is."""
    results = _in_order([*board.results, *board.unreadable], board, by)
    results = results[::-1] if backwards else results
    columns: Columns = []
    for key in board.columns:
        known = [spelled(r.settings[key]) if key in r.settings else None for r in results]
        columns.append((key, [setting(text) for text in known]))
    columns.append(("seed", [r.seed if r.settings else None for r in results]))
    keep = len(columns) + bool(board.figures)
    for figure in board.figures:
        values = [result.figures.get(figure.name) for result in results]
        columns.append((figure.name, [one.value if one else None for one in values]))
    columns.append(("state", [result.state for result in results]))
    columns.append((STEP, [result.step for result in results]))
    columns.append(("reason", [result.reason for result in results]))
    if full:
        columns.append(("run", [result.name for result in results]))
        columns.append(("path", [str(result.folder.path) for result in results]))
    return _sheet(columns, keep)


def called(board: Board, result: Result) -> str:
    """A run by the settings that tell it from others, and its seed."""
    if not result.settings:
        return result.name
    known = {key: result.settings[key] for key in board.columns if key in result.settings}
    told = (f"{key}={spelled(value)}" for key, value in (known | {"seed": result.seed}).items())
    return " ".join(told)


def _in_order(results: list[Result], board: Board, by: str) -> list[Result]:
    """Runs in the order of a column; each is a group of its own."""
    groups = [
        Group(
            tuple(spelled(result.settings.get(key, "")) for key in board.columns),
            [result],
            {name: {0: one.value} for name, one in result.figures.items()},
        )
        for result in results
    ]
    if not by:
        return results
    alone = Board(board.columns, board.figures, groups, [])
    return [group.results[0] for group in arranged(alone, by).groups]


def _sheet(columns: Columns, keep: int) -> Sheet:
    rows = [list(row) for row in zip(*(cells for _, cells in columns), strict=True)]
    return Sheet([header for header, _ in columns], rows, keep)


def _settings(board: Board) -> Columns:
    """A column for each setting that tells groups apart."""
    if not board.columns:
        return [(ALIKE, ["the same" for _ in board.groups])]
    return [
        (key, [setting(group.key[at]) for group in board.groups])
        for at, key in enumerate(board.columns)
    ]


def _means(figure: Figure, board: Board) -> tuple[str, Sequence[Cell]]:
    spreads = [group.spread(figure.name) for group in board.groups]
    return figure.name, told(spreads)


def told(spreads: Sequence[Spread | None]) -> list[str]:
    """Mean ± deviation, to two digits of the usual deviation; one number alone has no ±."""
    known = [spread for spread in spreads if spread is not None]
    places = _decimals(known)
    return [_spread(spread, places) if spread else "" for spread in spreads]


def _spread(spread: Spread, places: int) -> str:
    mean = _rounded(spread.mean, places)
    if spread.deviation is None:
        return mean
    return f"{mean} ± {_rounded(spread.deviation, places)}"


def _decimals(spreads: Sequence[Spread]) -> int:
    """Digits behind the point: two of the usual deviation that count, or four of the mean."""
    deviations = [s.deviation for s in spreads if s.deviation and math.isfinite(s.deviation)]
    means = [abs(s.mean) for s in spreads if s.mean and math.isfinite(s.mean)]
    if deviations:
        return _places(median(deviations), 2)
    return _places(median(means), 4) if means and not _whole(means) else 0


def _whole(values: Sequence[float]) -> bool:
    return all(value == int(value) for value in values)


def _places(value: float, digits: int) -> int:
    return min(8, max(0, digits - 1 - math.floor(math.log10(value))))


def _rounded(value: float, places: int) -> str:
    if not math.isfinite(value):
        return str(value)
    return f"{value:.3e}" if abs(value) >= LARGE else f"{value:.{places}f}"


def _differences(figure: Figure, board: Board, reference: Group) -> Columns:
    told = [group.less(reference, figure) for group in board.groups]
    gaps = [
        (one.high - one.low) / 4 for one in told if one.low is not None and one.high is not None
    ]
    means = [abs(one.mean) for one in told if one.mean]
    gaps = [gap for gap in gaps if gap > 0]
    places = _places(median(gaps), 2) if gaps else _places(median(means), 3) if means else 0
    words = _words(board, reference, told)
    shown = [None if word == REFERENCE else one for word, one in zip(words, told, strict=True)]
    return [
        ("which is", words),
        ("difference", [_signed(one.mean if one else None, places) for one in shown]),
        ("95 % interval", [_interval(one, places) for one in shown]),
    ]


def _words(board: Board, reference: Group, told: Sequence[Difference]) -> list[str]:
    """What each difference tells; the reference differs from nothing."""
    return [
        REFERENCE if group is reference else one.words
        for group, one in zip(board.groups, told, strict=True)
    ]


def _signed(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:+.{places}f}"


def _interval(one: Difference | None, places: int) -> str:
    if one is None or one.low is None or one.high is None:
        return ""
    return f"{_signed(one.low, places)} to {_signed(one.high, places)}"


def _times(compared: Compared) -> Columns:
    """For each goal: how many came to it, and what that took."""
    columns: Columns = []
    for index, goal in enumerate(compared.goals):
        each = [compared.reaches[group.key][index] for group in compared.board.groups]
        after = f" to {goal}" if len(compared.goals) > 1 else ""
        columns.append((goal, [f"{one.came} of {one.n}" if one.came else "never" for one in each]))
        columns.append((f"steps{after}", told([one.steps for one in each])))
        columns.append((f"images{after}", told([one.images for one in each])))
        columns.append((f"seconds{after}", told([one.seconds for one in each])))
    return columns


def _states(group: Group) -> str:
    counts = group.states
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def _digits(name: str, spreads: Sequence[Spread | None]) -> Columns:
    return [
        (name, [spread.mean if spread else None for spread in spreads]),
        (f"{name} deviation", [spread.deviation if spread else None for spread in spreads]),
        (f"{name} n", [spread.n if spread else 0 for spread in spreads]),
    ]


def _differing(name: str, told: Sequence[Difference], words: Sequence[str]) -> Columns:
    return [
        (f"{name} difference", [one.mean for one in told]),
        (f"{name} low", [one.low for one in told]),
        (f"{name} high", [one.high for one in told]),
        (f"{name} pairs", [one.n for one in told]),
        (f"{name} which is", words),
    ]
