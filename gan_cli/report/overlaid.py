"""The curves of groups over one another: means over seeds, shaded by a deviation to each side."""

from __future__ import annotations

from gan_cli.report.charts import COLOURS, Axis, Chart, Charts, Series, toolbar
from gan_cli.report.courses import Courses
from gan_cli.report.markup import Html, el
from gan_cli.report.standings import Names
from gan_cli.study.averaged import Averaged, Course, averaged
from gan_cli.study.leaderboard import Board, Figure, Group

FIGURES = 6
"""Figures that have a chart, at most."""


def section(made: Board, names: Names, courses: Courses, charts: Charts) -> Html | None:
    """A chart for each figure; None where nothing has two points."""
    figures = made.figures[:FIGURES]
    drawn = [found for one in figures if (found := _chart(made, names, one, courses, charts))]
    if not drawn:
        return None
    places = [charts.add(chart) for chart in drawn]
    groups = len(made.groups)
    more = f"The first {COLOURS} of {groups} groups; mean" if groups > COLOURS else "Mean"
    return el(
        "section#curves",
        el("div.head", el("h2", "Curves"), el("p.hint", f"{more} over seeds, ± one deviation.")),
        toolbar(charts),
        el(f"div.charts{'.one' * (len(places) == 1)}", *places),
    )


def _chart(
    made: Board, names: Names, figure: Figure, courses: Courses, charts: Charts
) -> Chart | None:
    means = [(group, _mean(group, figure, courses)) for group in made.groups[:COLOURS]]
    curves = [(at, group, one) for at, (group, one) in enumerate(means) if one.at]
    steps = sorted({int(at) for _, _, one in curves for at in one.at})
    if len(steps) < 2:
        return None
    axis = f"figure {figure.name}"
    charts.axes[axis] = Axis(steps)
    if len(curves) > 1:
        names = Names([group for _, group, _ in curves], made.columns)
    series = [_series(names.values(group), at, one, steps) for at, group, one in curves]
    return Chart(figure.name, axis, series, _BETTER[figure.better])


_BETTER = {1: "more is better", -1: "less is better", 0: ""}


def _mean(group: Group, figure: Figure, courses: Courses) -> Averaged:
    """Over the runs whose figure counts: those that measured it as most did."""
    counted = {*group.values.get(figure.name, {}).values()}
    found = []
    for result in group.results:
        one = result.figures.get(figure.name)
        if one is not None and one.value in counted:
            points = courses(result, figure.name)
            found.append(Course(tuple(s for s, _ in points), tuple(v for _, v in points)))
    return averaged(found)


def _series(label: str, colour: int, one: Averaged, steps: list[int]) -> Series:
    means = dict(zip(one.at, one.mean, strict=True))
    apart = dict(zip(one.at, one.deviation, strict=True))
    y = [means.get(step) for step in steps]
    low = [None if value is None else value - apart[s] for s, value in zip(steps, y, strict=True)]
    high = [None if value is None else value + apart[s] for s, value in zip(steps, y, strict=True)]
    banded = one.n > 1
    return Series(label, colour, y, low if banded else None, high if banded else None)
