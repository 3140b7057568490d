"""What was measured of a run: each figure with its interval over the steps, and how it was done."""

from __future__ import annotations

from collections.abc import Sequence

from gan_cli.report.charts import Axis, Chart, Charts, Series
from gan_cli.report.markup import Html, el, facts
from gan_cli.report.words import count, number, plus_minus, short, span
from gan_cli.scores import Measured, Protocol, Scores
from gan_cli.study.folder import Folder

MOST = 12
"""Figures that have a chart, at most."""

BETTER = {1: "more is better", -1: "less is better", 0: ""}

Course = Sequence[tuple[int, Scores]]


def measured(folder: Folder) -> tuple[Scores, list[tuple[int, Scores]]] | None:
    """The newest measurement, and all that can be compared with it; None where there is none."""
    newest = folder.scores
    if newest is None or not _sane(newest):
        return None
    return newest, _comparable([row for row in folder.evaluations if _sane(row[1])], newest)


def section(found: tuple[Scores, Course], charts: Charts) -> Html:
    """Charts, table and protocol of what was measured."""
    newest, course = found
    drawn = _charts(course, charts)
    step = newest.checkpoint.get("step")
    told = f"Of the newest measurement{f', at step {count(step)}' if type(step) is int else ''}"
    one = ".one" if len(drawn) == 1 else ""
    return el(
        "section#figures",
        el("div.head", el("h2", "Figures"), el("p.hint", f"{told}; with 95 % intervals.")),
        el(
            "div.card",
            el("div.scroll", _table(newest, course)),
            *(el("p.hint", f"{name}: {why}") for name, why in newest.refused.items()),
            _protocol(newest),
        ),
        el(f"div.charts{one}", *drawn) if drawn else None,
    )


def _comparable(evaluations: Course, newest: Scores) -> list[tuple[int, Scores]]:
    """Those with the protocol of the newest, and the newest itself."""
    kept = [
        (step, scores)
        for step, scores in evaluations
        if not newest.protocol.differences(scores.protocol, newest.metrics & scores.metrics)
    ]
    step = newest.checkpoint.get("step")
    if type(step) is int and (not kept or step > kept[-1][0]):
        kept.append((step, newest))
    return kept


def best(course: Course, name: str) -> int | None:
    """The place of the best of a figure; None where neither more nor less is better."""
    places = [(i, one) for i, (_, s) in enumerate(course) if (one := s.figures.get(name))]
    if not places or not places[0][1].better:
        return None
    return max(places, key=lambda place: place[1].better * place[1].value)[0]


def _charts(course: Course, charts: Charts) -> list[Html]:
    if len(course) < 2:
        return []
    charts.axes["evaluations"] = Axis([step for step, _ in course])
    names = list(dict.fromkeys(name for _, scores in course for name in scores.figures))
    return [charts.add(_chart(course, name)) for name in names[:MOST]]


def _chart(course: Course, name: str) -> Chart:
    ones = [scores.figures.get(name) for _, scores in course]
    known = [one for one in ones if one is not None]
    values = [None if one is None else one.value for one in ones]
    low = [None if one is None else _or(one.low, one.value) for one in ones]
    high = [None if one is None else _or(one.high, one.value) for one in ones]
    words = f"{known[-1].words}; {BETTER[known[-1].better]}".rstrip("; ")
    found = Series(name, 0, values, low, high, True, known[-1].floor, best=best(course, name))
    return Chart(name, "evaluations", [found], words)


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _table(scores: Scores, course: Course) -> Html:
    heads = [("Figure", ""), ("Value", ".n"), ("95 % interval", ".n"), ("Real samples", ".n")]
    many = len(course) > 1
    if many:
        heads.append(("Best", ".n"))
    head = el("tr", *(el(f"th{kind}", text) for text, kind in heads), el("th", "What it is"))
    rows = [_row(name, one, course, many) for name, one in scores.figures.items()]
    return el("table", el("thead", head), el("tbody", *rows))


def _row(name: str, one: Measured, course: Course, many: bool) -> Html:
    between = "–" if one.low is None else f"{number(one.low)} … {number(one.high)}"
    cells = [el("td.name", name), el("td.n", el("b", number(one.value))), el("td.n", between)]
    cells.append(el("td.n", number(one.floor)))
    place = best(course, name)
    if many and place is not None:
        step, scores = course[place]
        at = el("small", f" at {count(step)}")
        cells.append(el("td.n", number(scores.figures[name].value), at))
    elif many:
        cells.append(el("td.n", "–"))
    words = f"{one.words}; {BETTER[one.better]}".rstrip("; ")
    return el("tr", *cells, el("td.words", words))


def tile(name: str, one: Measured, course: Course) -> Html:
    """A figure in large."""
    told = [] if one.floor is None else [f"real {number(one.floor)}"]
    place = best(course, name)
    if place is not None and course[place][1].figures[name] != one:
        step, scores = course[place]
        told.append(f"best {number(scores.figures[name].value)} at {count(step)}")
    error = el("span.pm", f" {plus_minus(one.error)}") if one.error is not None else None
    value = el("dd", number(one.value), error, el("small", " · ".join(told)) if told else None)
    return el("div", el("dt", name), value)


def _protocol(scores: Scores) -> Html:
    """How it was measured, folded."""
    found = scores.protocol
    rows = [(words, str(getattr(found, name))) for name, words in _FIELDS.items()]
    rows += [(f"settings of {name}", _listed(own)) for name, own in found.settings.items()]
    rows += [("intervals", scores.interval), ("seed", str(scores.seed))]
    rows += [(f"about {name}", str(words)) for name, words in scores.about.items()]
    if scores.seconds:
        rows.append(("it took", span(scores.seconds)))
    if scores.command:
        rows.append(("command", scores.command))
    return el("details", el("summary", "Protocol"), facts(rows))


_FIELDS = {
    "data": "data",
    "split": "split",
    "real": "real samples",
    "fake": "samples of G",
    "extractor": "extractor",
    "resize": "resized",
    "weights": "weights of G",
    "conditions": "conditions",
    "fingerprint": "SHA-256 of the data",
    "features": "SHA-256 of the extractor",
}


def _listed(settings: dict[str, object]) -> str:
    return ", ".join(f"{k}={v}" for k, v in settings.items() if k not in _CLASS) or "none"


def protocol(found: Protocol) -> str:
    """How figures were measured, in a line."""
    seen = f"{count(found.fake)} samples against {count(found.real)} of {found.data}"
    return f"{seen} ({found.split}), seen by {found.extractor}"


def _sane(scores: Scores) -> bool:
    """Whether everything in it is of its kind: a file may say anything."""
    numbers = [
        number
        for one in scores.figures.values()
        for number in (one.value, one.low, one.high, one.floor)
        if number is not None
    ]
    protocol, settings = vars(scores.protocol), scores.protocol.settings.values()
    texts = [
        *(one.words for one in scores.figures.values()),
        *(value for key, value in protocol.items() if key not in _OTHERS),
        *(scores.interval, scores.command),
    ]
    tables = [scores.refused, scores.about]
    if not all(isinstance(table, dict) for table in (*tables, *settings, scores.checkpoint)):
        return False
    texts += [text for table in tables for text in table.values()]
    counts = (scores.protocol.real, scores.protocol.fake, scores.seed)
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(number) is int for number in counts)
        and all(short(number) is not None for number in (*numbers, scores.seconds))
    )


_CLASS = {"_target_"}
_OTHERS = {"real", "fake", "settings"}
