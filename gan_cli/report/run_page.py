"""The page of one run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gan_cli import __version__
from gan_cli.doctor import findings, story
from gan_cli.doctor.history import seen
from gan_cli.doctor.returns import returns
from gan_cli.report import about, album, curves, doctored, figures, lights
from gan_cli.report.charts import Charts
from gan_cli.report.markup import Html, data, el, join, page
from gan_cli.report.words import count, many, rate, span, when
from gan_cli.study.folder import Folder
from gan_cli.study.settings import NONE

TILES, BESIDE = 4, 2
"""Figures in large, at most; fewer than these stand beside the other facts."""

_BANNERS = {"failed": "red", "collapsed": "red", "interrupted": "yellow"}
"""States whose reason stands first, and in which colour."""

_NAMES = {
    "samples": "Samples",
    "curves": "Curves",
    "figures": "Figures",
    "diagnosis": "Diagnosis",
    "settings": "Settings",
}


def run_page(folder: Folder, up: tuple[str, str] | None = None) -> str:
    """The page of a run; `up`: the name of the page it belongs to, and the way there.

    Raises BadFile where the run's record or status can't be read.
    """
    facts: dict[str, Any] = {}
    charts = Charts()
    measured, looked = figures.measured(folder), lights.looks(seen(folder)[0])
    samples, asked = album.section(folder, facts), about.asked(folder)
    first = el("div.two.first", samples, asked) if samples else asked
    sections = {
        "samples": el("section#samples", first),
        "curves": curves.section(folder, charts),
        "figures": figures.section(measured, charts) if measured else None,
        "diagnosis": _diagnosis(folder, looked, charts),
        "settings": about.section(folder),
    }
    facts |= charts.facts() | {"lights": lights.facts(looked)}
    there = [name for name, section in sections.items() if section is not None]
    links = [(f"#{name}", _NAMES[name]) for name in there if samples or name not in _PICTURES]
    body = join(
        [
            _header(folder, looked, measured, up),
            navigation(links),
            el("main", el("div.wrap", *sections.values())),
            footer(folder.status.state == _GOING),
            data("facts", facts),
        ]
    )
    return page(f"{folder.name} · gan", body)


def _diagnosis(folder: Folder, looked: lights.Looks, charts: Charts) -> Html:
    found = findings.of(folder)
    card, strips = doctored.card(found), lights.strips(looked)
    drawn = doctored.drawn(found, charts)
    return el(
        "section#diagnosis",
        el("div.head", el("h2", "Diagnosis")),
        el("div.two", card, strips) if strips else card,
        el(f"div.charts{'.one' * (len(drawn) == 1)}", *drawn) if drawn else None,
    )


_PICTURES = frozenset({"samples"})
_GOING = "running"


def navigation(links: list[tuple[str, str]]) -> Html:
    """The sections of a page."""
    inside = (el("a", text, at={"href": to}) for to, text in links)
    return el("nav", el("div.wrap", *inside), at={"aria-label": "sections"})


def footer(going: bool = False) -> Html:
    """When the page was made, and with what."""
    made = datetime.now().astimezone().isoformat(timespec="seconds")
    still = " while it was still going on" if going else ""
    return el("footer", el("div.wrap", f"Made on {when(made)}{still} by gan {__version__}."))


def title(folder: Folder) -> str:
    """A run in a few words: its game, networks and data."""
    chosen = folder.choices
    method = chosen.get("method", "gan")
    game = method if method not in _GAMES else chosen.get("loss", "")
    words = [game, chosen.get("model", ""), chosen.get("dataset", "")]
    task = chosen.get("task", "")
    if task not in _PLAIN:
        words.append(task)
    return " · ".join(word for word in words if word and word != NONE) or folder.name


_GAMES = {"gan", "cyclegan"}
_PLAIN = {"unconditional", NONE, ""}


def badge(state: str, words: str = "") -> Html:
    """The state of a run."""
    return el(f"span.badge.{state}", words or state)


def _header(
    folder: Folder,
    looked: lights.Looks,
    measured: Any,
    up: tuple[str, str] | None,
) -> Html:
    status = folder.status
    worst = lights.last(looked)
    of = el("a", up[0], at={"href": up[1]}) if up else None
    marks = [badge(status.state)]
    if worst is not None:
        marks.append(lights.badge(worst, f"diagnosis {worst.word}"))
    return el(
        "header",
        el(
            "div.wrap",
            el("p.eyebrow", "Run", *((" of ", of) if of else ()), f" · seed {folder.seed}"),
            el("div.titled", el("h1", title(folder)), *marks),
            el("p.place", folder.name),
            _banner(folder),
            *_tiles(folder, measured),
        ),
    )


def _banner(folder: Folder) -> Html | None:
    status = folder.status
    colour = _BANNERS.get(status.state)
    if colour is None or not status.reason:
        return None
    return el(
        f"div.note.{colour}",
        el("p", el("b", status.state.capitalize()), f": {story.reason(status)}"),
    )


def _tiles(folder: Folder, measured: Any) -> list[Html]:
    """Facts in large, and figures beside them or below."""
    status = folder.status
    share = f"{status.step / status.steps:.0%} of {count(status.steps)}" if status.steps else ""
    tiles = [tile("Steps", count(status.step), share)]
    if status.seconds:
        how = f"in {many(len(folder.record.sessions), 'session')}"
        if back := len(returns(folder.path)):
            how += f", went back {many(back, 'time')}"
        tiles.append(tile("Trained for", span(status.seconds), how))
    if speed := curves.speed(folder):
        images = int(folder.last.get("images", 0))
        tiles.append(tile("Images a second", rate(speed), f"{count(images)} in all"))
    if status.started:
        day, _, hour = when(status.started).partition(", ")
        until = when(status.ended).removeprefix(f"{day}, ") if status.ended else ""
        tiles.append(tile("Last session", day, f"{hour} – {until}" if until else hour))
    newest, course = measured or (None, ())
    shown = list(newest.figures.items())[:TILES] if newest else []
    large = [figures.tile(name, one, course) for name, one in shown]
    if len(large) < BESIDE:
        return [el("dl.tiles", *tiles, *large)]
    return [el("dl.tiles", *tiles), el("dl.tiles", *large)]


def tile(name: str, value: str, more: str) -> Html:
    """A fact in large, and something more of it."""
    return el("div", el("dt", name), el("dd", value, el("small", more) if more else None))
