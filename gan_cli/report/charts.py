"""Curves for the page's script: what it draws, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gan_cli.report.markup import Html, el, join
from gan_cli.report.words import short

COLOURS = 8
"""Colours there are."""

Numbers = Sequence[float | None]


@dataclass(frozen=True)
class Axis:
    """Steps, and the seconds of training at them where they are known; `each` rows lie behind
    each point."""

    steps: Sequence[int]
    seconds: Sequence[float] | None = None
    each: int = 1

    def facts(self) -> dict[str, Any]:
        """As the script reads it."""
        told: dict[str, Any] = {"x": list(self.steps), "each": self.each}
        if self.seconds is not None:
            told["t"] = [short(second) or 0.0 for second in self.seconds]
        return told


@dataclass(frozen=True)
class Series:
    """A curve: means, and the least and most behind each or the ends of an interval.

    points: each is to be seen. floor: a line of real samples. broke: the step from which it was
    not finite. best: the place of the best one. limits: lines that it is held against, by colour.
    """

    name: str
    colour: int
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    points: bool = False
    floor: float | None = None
    broke: int | None = None
    best: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)

    def facts(self, nth: int) -> dict[str, Any]:
        """As the script reads it; `nth` of its chart that broke."""
        told: dict[str, Any] = {"name": self.name, "color": self.colour, "y": _rounded(self.y)}
        if self.low is not None and self.high is not None:
            told |= {"low": _rounded(self.low), "high": _rounded(self.high)}
        if self.broke is not None:
            told |= {"broke": self.broke, "nth": nth}
        if self.limits:
            told["limits"] = {name: short(value) for name, value in self.limits.items()}
        own = {"points": self.points or None, "floor": self.floor, "best": self.best}
        return told | {key: value for key, value in own.items() if value is not None}


@dataclass(frozen=True)
class Chart:
    """Curves over one axis, under a title and a line that says what they are; `zero` is seen."""

    title: str
    axis: str
    series: Sequence[Series]
    words: str = ""
    zero: bool = False


@dataclass
class Charts:
    """All charts of a page, and its axes by name."""

    axes: dict[str, Axis] = field(default_factory=dict)
    charts: list[Chart] = field(default_factory=list)

    def add(self, chart: Chart) -> Html:
        """Where the chart goes."""
        self.charts.append(chart)
        words = el("span.hint", chart.words) if chart.words else None
        names = ", ".join(one.name for one in chart.series)
        label = f"{chart.title}: {names} over steps. Arrow keys read it out."
        return el(
            "figure.chart",
            el("figcaption", el("h3", chart.title), el("span.legend"), words),
            el("div.plot", at={"role": "group", "aria-label": label}),
            at={"data-chart": len(self.charts) - 1},
        )

    def facts(self) -> dict[str, Any]:
        """As the script reads them."""
        axes = {name: axis.facts() for name, axis in self.axes.items()}
        told = [
            {"id": at, "title": chart.title, "axis": chart.axis, "zero": chart.zero}
            | {"series": _series(chart)}
            for at, chart in enumerate(self.charts)
        ]
        return {"axes": axes, "charts": told}


def toolbar(charts: Charts) -> Html | None:
    """What changes all charts at once; nothing where there is none."""
    if not charts.charts:
        return None
    timed = any(axis.seconds is not None for axis in charts.axes.values())
    switches = [
        _switch("log", "Log scale", "a logarithmic scale, where all values are above zero"),
        _switch("calm", "Ignore spikes", "scale to all but the outermost 2 % at each end"),
        _switch("time", "Over time", "against seconds of training") if timed else None,
    ]
    about = {"type": "range", "min": 0, "max": 99, "value": 0, "step": 1}
    smooth = el("label", "Smoothing", el("input#smooth", at=about), el("output#smooth-told", "off"))
    whole = el("button#whole", "Whole run", at={"type": "button", "hidden": True})
    return el("div.bar", join(switches), smooth, whole)


def _switch(name: str, words: str, title: str) -> Html:
    at = {"type": "button", "aria-pressed": "false", "title": title}
    return el(f"button#{name}.toggle", words, at=at)


def _series(chart: Chart) -> list[dict[str, Any]]:
    broken = [one for one in chart.series if one.broke is not None]
    return [one.facts(broken.index(one) if one in broken else 0) for one in chart.series]


def _rounded(values: Numbers) -> list[float | None]:
    return [None if value is None else short(value) for value in values]
