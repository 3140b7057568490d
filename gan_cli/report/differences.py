"""What tells groups apart beyond chance: paired differences from the best, with intervals."""

from __future__ import annotations

import math

from gan_cli.report.markup import Html, el
from gan_cli.report.standings import MOST, Names
from gan_cli.report.words import number
from gan_cli.study.leaderboard import Board, Figure
from gan_cli.study.paired import Difference

FIGURES = 4
"""Figures whose differences are told, at most; the first is unfolded."""

_WIDE, _HIGH = 200, 16  # units of a bar


def section(made: Board) -> Html | None:
    """A table for each figure; None where there is nothing to hold against each other."""
    if len(made.groups) < 2:
        return None
    figures = [figure for figure in made.figures if figure.better] or made.figures
    tables = [found for figure in figures[:FIGURES] if (found := _figure(made, figure))]
    if not tables:
        return None
    hint = (
        "Runs of the same seed are held against each other, so what a seed does to both cancels; "
        "mean difference and its 95 % interval by Student's t."
    )
    first, *others = tables
    folded = [
        el("details", el("summary", figure.name), el("p.hint", words), table)
        for figure, words, table in others
    ]
    return el(
        "section#differences",
        el("div.head", el("h2", "Differences"), el("p.hint", hint)),
        el("div.card", el("div.head", el("h3", first[0].name), el("p.hint", first[1])), first[2]),
        el("div.card", *folded) if folded else None,
    )


def _figure(made: Board, figure: Figure) -> tuple[Figure, str, Html] | None:
    known = [group for group in made.groups if math.isfinite(group.mean(figure.name))]
    if len(known) < 2:
        return None
    names = Names(known, made.columns)
    leader = max(known, key=lambda group: figure.better * group.mean(figure.name))
    pairs = [(group, group.less(leader, figure)) for group in known if group is not leader]
    ends = [end for _, one in pairs for end in (one.low, one.high, one.mean) if end is not None]
    ends = [0.0, *(end for end in ends if math.isfinite(end))]
    reach = (min(ends), max(ends))
    heads = [el("th", "Group"), el("th.n", "Difference"), el("th.n", "95 % interval")]
    heads += [el("th.n", "Pairs"), el("th", "Around zero"), el("th", "")]
    rows = [_row(names(group), one, reach) for group, one in pairs[:MOST]]
    table = el("div.scroll", el("table", el("thead", el("tr", *heads)), el("tbody", *rows)))
    which = "the leader" if figure.better else "the first of the table"
    words = f"less that of {names(leader)}, {which} ({number(leader.mean(figure.name))})"
    return figure, words, table


def _row(name: str, one: Difference, reach: tuple[float, float]) -> Html:
    between = "–" if one.low is None else f"{number(one.low)} … {number(one.high)}"
    bar = _bar(one, *reach) if reach[1] > reach[0] else None
    return el(
        "tr",
        el("td", name),
        el("td.n", number(one.mean)),
        el("td.n", between),
        el("td.n", str(one.n)),
        el("td", bar),
        el("td.name", one.words),
    )


def _bar(one: Difference, least: float, most: float) -> Html:
    """The interval as a line and the mean as a stroke across it, beside a line at zero."""

    def place(value: float) -> float:
        return round(3 + (value - least) / (most - least) * (_WIDE - 6), 1)

    zero, kind = place(0.0), one.words if one.told else ""
    lines = [el("line.axis", at={"x1": zero, "x2": zero, "y1": 0, "y2": _HIGH})]
    css = f"line.line{f'.{kind}' if kind in ('better', 'worse') else ''}"
    half = _HIGH / 2
    if one.low is not None and one.high is not None:
        at = {"x1": place(one.low), "x2": place(one.high), "y1": half, "y2": half}
        lines.append(el(css, at=at))
    if one.mean is not None and math.isfinite(one.mean):
        at = {"x1": place(one.mean), "x2": place(one.mean), "y1": 3, "y2": _HIGH - 3}
        lines.append(el(css, at=at))
    frame = {"viewBox": f"0 0 {_WIDE} {_HIGH}", "preserveAspectRatio": "none"}
    return el("svg.bars", *lines, at=frame | {"aria-hidden": "true"})
