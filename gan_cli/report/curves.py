"""The curves of training: what the rows of a run say, in charts of what belongs together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from gan_cli.report.charts import COLOURS, Axis, Chart, Charts, Series, toolbar
from gan_cli.report.columns import Column, Table, table
from gan_cli.report.markup import Html, el, join
from gan_cli.report.words import count
from gan_cli.study.folder import Folder
from gan_cli.tail import every_row

TITLES = {
    "loss": ("Losses", "what each player descends, without penalties and terms"),
    "D": ("Outputs of D", "raw; larger is more real"),
    "penalty": ("Penalties", "what D pays for being steep"),
    "term": ("Terms", "what G pays besides"),
    "auxiliary": ("Auxiliary tasks", "what D's features are asked besides"),
    "grad_norm": ("Gradient norms", "of each player's own gradient"),
    "learning_rate": ("Learning rates", "of each player's optimiser"),
}
"""What the first part of a column's name stands for; others come after these."""

SPEED = 300
"""Points of the curve of images a second, at most."""

_SPEED = "Images a second"
_RATES = "learning_rate"
_APART = frozenset({"images", "updates", "diagnosis"})
"""Columns that count, and the lights, which have strips of their own."""

_COLOURS = {"d": 0, "g": 1, "real": 2, "fake": 3}


def section(folder: Folder, charts: Charts) -> Html | None:
    """The charts of a run, and what changes them; None before the first row."""
    found = table(every_row(folder.path / "metrics.jsonl"))
    if not found.steps:
        return None
    clock = [row for row in folder.clock if row[1] >= 0]
    charts.axes["rows"] = Axis(found.steps, _seconds(found.steps, clock), found.each)
    groups: dict[str, dict[str, Column]] = {}
    for name, column in found.columns.items():
        group, _, leaf = name.partition("/")
        if group not in _APART:
            groups.setdefault(group, {})[leaf or group] = column
    if all(_constant(column) for column in groups.get(_RATES, {}).values()):
        groups.pop(_RATES, None)  # the settings say it
    order = sorted(groups, key=lambda g: list(TITLES).index(g) if g in TITLES else len(TITLES))
    drawn = [charts.add(_chart(group, groups[group], found)) for group in order]
    if speed := _speed(found, clock, charts):
        drawn.append(charts.add(speed))
    return el(
        "section#curves",
        el("div.head", el("h2", "Curves"), el("p.hint", _words(found))),
        toolbar(charts),
        el("div.charts", *drawn),
        el("noscript", el("p.note", "Curves are drawn by a script, which is switched off here.")),
    )


def speed(folder: Folder) -> float | None:
    """Images that D has learnt from in a second of training, over the whole run."""
    images, seconds = folder.last.get("images"), folder.status.seconds
    return images / seconds if images and seconds > 0 else None


def _constant(column: Column) -> bool:
    return len({*column.low, *column.high} - {None}) < 2


def _chart(group: str, columns: dict[str, Column], found: Table) -> Chart:
    title, words = TITLES.get(group, (group, ""))
    free = (i for i in range(COLOURS * 100) if i % COLOURS not in _COLOURS.values())
    colours = {leaf: _COLOURS[leaf] if leaf in _COLOURS else next(free) for leaf in columns}
    return Chart(
        title,
        "rows",
        [
            Series(
                leaf,
                colours[leaf] % COLOURS,
                column.mean,
                column.low if found.each > 1 else None,
                column.high if found.each > 1 else None,
                broke=column.broke,
            )
            for leaf, column in columns.items()
        ],
        words,
    )


def _speed(found: Table, clock: Sequence[tuple[int, float]], charts: Charts) -> Chart | None:
    """Images a second between rows of the clock, all that training stops for included."""
    images = found.columns.get("images")
    if images is None or not images.last or not found.steps[-1] or len(clock) < 3:
        return None
    per_step = images.last / found.steps[-1]
    stride = max(1, (len(clock) - 1) // SPEED)
    rows = [*clock[:-1:stride], clock[-1]]
    steps, rates = [], []
    for (step, second), (later, at) in pairwise(rows):
        if later > step and at > second:
            steps.append(later)
            rates.append((later - step) * per_step / (at - second))
    if len(steps) < 2:
        return None
    charts.axes["speed"] = Axis(steps, _seconds(steps, clock))
    words = "that D learns from, breaks to measure and save included"
    return Chart(_SPEED, "speed", [Series(_SPEED, 5, rates)], words, zero=True)


def _seconds(steps: Sequence[int], clock: Sequence[tuple[int, float]]) -> list[float] | None:
    """Seconds of training at each step: a straight line between rows of the clock."""
    if len(clock) < 2:
        return None
    at = [step for step, _ in clock]
    return [_between(clock, bisect_left(at, step), step) for step in steps]


def _between(clock: Sequence[tuple[int, float]], place: int, step: int) -> float:
    before = clock[place - 1] if place else (0, 0.0)
    after = clock[place] if place < len(clock) else before
    if after[0] <= before[0]:
        return after[1]
    return before[1] + (after[1] - before[1]) * (step - before[0]) / (after[0] - before[0])


def _words(found: Table) -> Html:
    told = f"{count(found.rows)} steps"
    if found.each > 1:
        told += (
            f", {found.each} to a point: the line is their mean, the shade from the least to "
            "the most"
        )
    mouse = el("span.mouse", " Drag to zoom, double-click to go back, click for the samples there.")
    return join([f"{told}.", mouse])
