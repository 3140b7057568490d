"""Small multiples: the last samples and the curve of every run, on the same axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gan_cli.report import pictures
from gan_cli.report.courses import Courses, Points
from gan_cli.report.markup import Html, el, join
from gan_cli.report.run_page import badge
from gan_cli.report.standings import Names, anchor
from gan_cli.report.words import count, many, number, span
from gan_cli.study.brief import FEW
from gan_cli.study.folder import Folder
from gan_cli.study.leaderboard import Board
from gan_cli.study.ledger import Job
from gan_cli.study.result import Result

MOST = 240
"""Runs that are shown with a picture, at most; all are in the table."""

ROWS = 2000
"""Runs in the table, at most."""

LARGEST = 90_000
"""Bytes of a picture as it lies there; a larger one is made smaller."""

TOY = "toy.jsonl"
"""The file of a run of points, whose pictures have several panels, the samples in the first."""

_WIDE, _HIGH, _POINTS = 200, 64, 120
_TRUSTED = frozenset({"done", "running", "interrupted"})

Link = Callable[[Folder], str | None]


@dataclass(frozen=True)
class _Frame:
    """The axes that all small curves share."""

    name: str
    steps: int
    low: float
    high: float

    def place(self, step: int, value: float) -> str:
        """A point in units of the picture; what lies beyond is drawn at the edge."""
        x = _WIDE * step / max(1, self.steps)
        share = (value - self.low) / (self.high - self.low)
        return f"{x:.1f},{_HIGH - _HIGH * min(1.0, max(0.0, share)):.1f}"


def section(
    made: Board, names: Names, courses: Courses, link: Link, unstarted: Sequence[Job]
) -> Html:
    """Cards by group, and a table of all runs and of jobs that have none."""
    figure = made.figures[0].name if made.figures else ""
    runs = [result for group in made.groups for result in group.results]
    shown = {id(result) for result in runs[:MOST]}
    points = {id(r): pictures.spread(courses(r, figure), _POINTS) for r in runs[:MOST]}
    frame = _frame(figure, [(r, points[id(r)]) for r in runs[:MOST]])
    room = min(LARGEST, pictures.ROOM // max(1, len(shown)))
    groups = []
    for at, group in enumerate(made.groups):
        own = [result for result in group.results if id(result) in shown]
        cards = [_card(result, points[id(result)], frame, room, link) for result in own]
        if cards:
            groups.append(_group(names(group), group.called(made.columns), at, cards))
    left = len(runs) - len(shown)
    words = f"The last samples of each run{_axes(frame)}."
    if len(made.columns) > FEW:
        words += " A name leaves out what half of all groups or more have."
    if left > 0:
        words += f" {many(left, 'run')} more in the table alone."
    return el(
        "section#runs",
        el("div.head", el("h2", "Runs"), el("p.hint", words)),
        el("div.groups", *groups),
        el("div.card.spaced", _table(made, link, unstarted)),
    )


def _axes(frame: _Frame | None) -> str:
    if frame is None:
        return ""
    span_ = f"{number(frame.low)} to {number(frame.high)}"
    return f", and {frame.name} from {span_} over {count(frame.steps)} steps, the same axes for all"


def _group(name: str, whole: str, at: int, cards: list[Html]) -> Html:
    title = el("h3", name, at={"title": whole if whole != name else None})
    alone = len(cards) == 1
    head = el("div.head", title, None if alone else el("p.hint", many(len(cards), "run")))
    return el(f"div#{anchor(at)}.group{'.alone' * alone}", head, el("div.multiples", *cards))


def _frame(figure: str, runs: Sequence[tuple[Result, Points]]) -> _Frame | None:
    """Axes that hold the curves of runs that went well, or of all where none did."""
    well = [points for result, points in runs if result.state in _TRUSTED and len(points) > 1]
    held = well or [points for _, points in runs if len(points) > 1]
    values = [value for points in held for _, value in points]
    if not values:
        return None
    low, high = min(values), max(values)
    steps = max(step for points in held for step, _ in points)
    return _Frame(figure, steps, low, high if high > low else low + 1)


def _card(result: Result, points: Points, frame: _Frame | None, room: int, link: Link) -> Html:
    to = link(result.folder)
    title = f"seed {result.seed}"
    head = el("a", title, at={"href": to}) if to else el("span", title)
    value = result.figures.get(frame.name) if frame else None
    told = None
    if frame is not None and value is not None:
        told = el("p", el("b", number(value.value)), f" {frame.name}")
    return el(
        "div.job",
        el("div.head", head, badge(result.state)),
        _picture(result, room),
        _curve(points, frame) if frame and len(points) > 1 else None,
        told or el("p.why", result.reason or f"step {count(result.step)}"),
    )


def _picture(result: Result, room: int) -> Html:
    samples = result.folder.samples
    found = pictures.read(samples[-1][1]) if samples else None
    if found and (result.folder.path / TOY).is_file():
        found = pictures.first_panel(found)
    made = pictures.small(found, room) if found else None
    if made is None:
        return el("div.none", "no samples")
    return made.element("", f"samples of {result.name} at step {samples[-1][0]}")


def _curve(points: Points, frame: _Frame) -> Html:
    path = "M" + "L".join(frame.place(*point) for point in points)
    axis = f"M0,0V{_HIGH}H{_WIDE}"
    at = {"viewBox": f"0 0 {_WIDE} {_HIGH}", "preserveAspectRatio": "none", "role": "img"}
    ends = f"from {number(points[0][1])} to {number(points[-1][1])}"
    label = f"{frame.name} over steps, {ends}"
    inside = [el("path.axis", at={"d": axis, "fill": "none"}), el("path.line", at={"d": path})]
    return el("svg", *inside, at=at | {"aria-label": label})


def _table(made: Board, link: Link, unstarted: Sequence[Job]) -> Html:
    figures = [figure.name for figure in made.figures[:4]]
    heads = [_head("Run"), _head("State"), *(_head(name, ".n") for name in figures)]
    heads += [_head("Steps", ".n"), _head("Time", ".n"), el("th", "Why")]
    results = [*made.results, *made.unreadable][:ROWS]
    rows = [_row(result, figures, link) for result in results]
    rows += [_job(job, len(figures)) for job in unstarted[: ROWS - len(rows)]]
    table = el("table#all-runs", el("thead", el("tr", *heads)), el("tbody", *rows))
    at = {"type": "search", "placeholder": "Search", "data-rows": "all-runs"}
    search = el("input", at=at | {"aria-label": "search the runs"})
    told = el("output#all-runs-told.hint", at={"aria-live": "polite"})
    return join([el("div.bar", search, told), el("div.scroll.spaced", table)])


def _head(text: str, kind: str = "") -> Html:
    return el(f"th{kind}", el("button", text, at={"type": "button"}))


def _row(result: Result, figures: Sequence[str], link: Link) -> Html:
    to = link(result.folder)
    named = el("a", result.name, at={"href": to}) if to else result.name
    cells = [el("td", named), el("td", badge(result.state))]
    for figure in figures:
        one = result.figures.get(figure)
        known = one is not None and math.isfinite(one.value)
        at = {"data-v": f"{one.value:.9g}" if one and known else ""}
        cells.append(el("td.n", number(one.value if one else None), at=at))
    seconds = result.folder.status.seconds if result.settings else 0.0
    cells.append(el("td.n", count(result.step), at={"data-v": result.step}))
    cells.append(el("td.n", span(seconds), at={"data-v": seconds}))
    return el("tr", *cells, el("td.words", result.reason))


def _job(job: Job, figures: int) -> Html:
    empty = [el("td.n", "–", at={"data-v": ""}) for _ in range(figures + 2)]
    return el("tr", el("td", job.name), el("td", badge(job.state)), *empty, el("td", job.reason))
