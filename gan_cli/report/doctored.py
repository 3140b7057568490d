"""What a doctor says of a run: what happened, the curves that show it, and what to try next."""

from __future__ import annotations

from collections.abc import Iterable

from gan_cli.doctor import Findings, Remedy, Symptom
from gan_cli.report.charts import Axis, Chart, Charts, Series
from gan_cli.report.lights import badge
from gan_cli.report.markup import Html, el, join
from gan_cli.report.words import count, short

MOST = 3
"""Remedies, and charts, at most."""


def card(found: Findings) -> Html:
    """The story, the symptoms, what has passed, and what to try."""
    return el(
        "div.card",
        el("p.story", found.story),
        _symptoms(found),
        _list("Before", found.passed),
        _list("Besides", found.notes),
        _remedies(found.remedies[:MOST]),
        _folded("What could not be told", found.blind),
    )


def drawn(found: Findings, charts: Charts) -> list[Html]:
    """A chart for each of the first symptoms that a curve shows, with its limits."""
    shown = [one for one in found.symptoms if one.curve and len(one.curve.steps) > 1]
    return [charts.add(_chart(one, charts)) for one in shown[:MOST]]


def _chart(symptom: Symptom, charts: Charts) -> Chart:
    curve = symptom.curve
    assert curve is not None
    axis = f"sign {symptom.name}"
    charts.axes[axis] = Axis(curve.steps)
    values = [short(value) for value in curve.values]
    title = symptom.name
    series = Series(title if curve.name == title else curve.name, 0, values, limits=curve.limits)
    return Chart(title, axis, [series], _told(symptom))


def _symptoms(found: Findings) -> Html | None:
    if not found.symptoms:
        told = "every sign that could be told is green"
        seen = f"At the last look {told}." if found.passed else f"Nothing wrong was seen: {told}."
        return el("p.hint", seen) if found.looks and not found.ill else None
    return el("ul.plain", *(_symptom(one) for one in found.symptoms))


def _symptom(one: Symptom) -> Html:
    return el("li", badge(one.light, one.name), f" {_told(one)}")


def _told(one: Symptom) -> str:
    """The light now, since when there is one that is not green, and what was seen."""
    since = f"on since step {count(one.since)}" if one.since else "on from the start"
    return f"{one.light.word}, {since}: {one.words}"


def _remedies(remedies: Iterable[Remedy]) -> Html | None:
    told = [
        el("li", el("code", " ".join(one.changes)), el("p.hint", f"{one.reason} ({one.source})"))
        for one in remedies
    ]
    if not told:
        return None
    hint = el("p.hint", "The same command with this; ", el("code", "gan doctor"), " types it out.")
    return join([el("h3.spaced", "Try next"), hint, el("ol.remedies", *told)])


def _list(title: str, lines: tuple[str, ...]) -> Html | None:
    if not lines:
        return None
    return join([el("h3.spaced", title), el("ul", *(el("li", line) for line in lines))])


def _folded(title: str, lines: tuple[str, ...]) -> Html | None:
    if not lines:
        return None
    return el("details", el("summary", title), el("ul", *(el("li", line) for line in lines)))
