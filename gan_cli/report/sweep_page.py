"""The page of a sweep, or of any runs side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from os.path import relpath
from pathlib import Path
from typing import Any

from gan_cli.report import differences, multiples, overlaid, standings
from gan_cli.report.about import command
from gan_cli.report.charts import Charts
from gan_cli.report.courses import Courses
from gan_cli.report.markup import Html, data, el, join, page
from gan_cli.report.run_page import badge, footer, navigation, tile
from gan_cli.report.words import count, many, number, plus_minus, span
from gan_cli.study.folder import Folder
from gan_cli.study.leaderboard import Board, arranged, board
from gan_cli.study.ledger import Job, Ledger
from gan_cli.study.result import read
from gan_cli.study.settings import spelled

NAMED = 3
"""Settings that are named where runs are counted, at most."""

LONGEST = 48
"""Characters of a name that stands as a title, at most."""

_ORDER = ("done", "running", "collapsed", "failed", "interrupted", "pending", "unreadable")
_NAMES = {
    "leaderboard": "Leaderboard",
    "curves": "Curves",
    "differences": "Differences",
    "runs": "Runs",
    "settings": "Settings",
}


@dataclass(frozen=True)
class Study:
    """Runs that are shown together: where they lie, the runs, and the ledger of a sweep.

    home: the directory that the page is written to, which links are told from.
    """

    directory: Path
    folders: Sequence[Folder]
    ledger: Ledger | None
    home: Path
    jobs: dict[str, Job] = field(default_factory=dict)

    @property
    def unstarted(self) -> list[Job]:
        """Jobs that have no run yet, or were refused before there was one."""
        there = {folder.path.resolve() for folder in self.folders}
        jobs = self.ledger.jobs if self.ledger else []
        return [job for job in jobs if Path(job.run).resolve() not in there]

    def link(self, folder: Folder) -> str | None:
        """The way to the page of a run; None where it has none."""
        there = folder.path / "report.html"
        if not there.is_file():
            return None
        return relpath(there.resolve(), self.home.resolve())


def sweep_page(study: Study) -> str:
    """The page of a sweep. What can't be read of a run is left out, and said."""
    results = [read(folder) for folder in study.folders]
    made = board(results)
    if not standings.ranked(made):
        made = arranged(made, "name")
    names = standings.Names(made.groups, made.columns)
    charts, courses = Charts(), Courses()
    sections = {
        "leaderboard": standings.section(made, names),
        "curves": overlaid.section(made, names, courses, charts),
        "differences": differences.section(made),
        "runs": multiples.section(made, names, courses, study.link, study.unstarted),
        "settings": _shared(made),
    }
    titles = _NAMES | {"leaderboard": standings.title(made)}
    links = [(f"#{name}", titles[name]) for name, found in sections.items() if found is not None]
    going = any(result.state == _GOING for result in results)
    body = join(
        [
            _header(study, made, names),
            navigation(links),
            el("main", el("div.wrap", *sections.values())),
            footer(going),
            data("facts", charts.facts()),
        ]
    )
    return page(f"{study.directory.resolve().name} · gan", body)


_GOING = "running"


def _header(study: Study, made: Board, names: standings.Names) -> Html:
    states = Counter(result.state for result in (*made.results, *made.unreadable))
    states.update(job.state for job in study.unstarted)
    order = [state for state in _ORDER if states[state]]
    chips = [el("li", badge(state, f"{count(states[state])} {state}")) for state in order]
    name = study.directory.resolve().name
    short = _title(name, made)
    typed = study.ledger.command if study.ledger else ""
    return el(
        "header",
        el(
            "div.wrap",
            el("p.eyebrow", "Sweep" if study.ledger else "Runs"),
            el("h1", short),
            el("p.place", name) if short != name else None,
            el("ul.chips", *chips),
            el("dl.tiles", *_tiles(made, names, sum(states.values()))),
            el("div.card.spaced", command(typed)) if typed else None,
        ),
    )


def _title(name: str, made: Board) -> str:
    """Its name, or, where that is the whole command, what is varied in it."""
    return name if len(name) <= LONGEST else " × ".join(made.columns[:NAMED]) or name


def _tiles(made: Board, names: standings.Names, jobs: int) -> list[Html]:
    runs = made.results
    counts = {
        column: len({group.key[at] for group in made.groups})
        for at, column in enumerate(made.columns)
    }
    counts |= {"seed": len({result.seed for result in runs})}
    apart = [f"{n} × {column}" for column, n in counts.items() if n > 1]
    more = "" if len(apart) <= NAMED else ", …"
    tiles = [tile("Runs", count(jobs), ", ".join(apart[:NAMED]) + more)]
    seconds = sum(result.folder.status.seconds for result in runs)
    if seconds > 0:
        tiles.append(tile("Training in all", span(seconds), ""))
    if made.groups and made.figures:
        first, figure = made.groups[0], made.figures[0]
        found = first.spread(figure.name)
        if found is not None and figure.better:
            error = el("span.pm", f" {plus_minus(found.deviation)}")
            value = el("dd", number(found.mean), error, el("small", names(first)))
            tiles.append(el("div", el("dt", f"Best {figure.name}"), value))
    return tiles


def _shared(made: Board) -> Html | None:
    """The settings that all runs share."""
    if not made.results:
        return None
    first, *others = (result.settings for result in made.results)
    shared: dict[str, Any] = {
        key: value
        for key, value in first.items()
        if all(spelled(other.get(key)) == spelled(value) for other in others)
    }
    rows = [el("tr", el("td.key", k), el("td.mono", spelled(v))) for k, v in shared.items()]
    at = {"type": "search", "placeholder": "Search", "data-rows": "all-settings"}
    search = el("input", at=at | {"aria-label": "search the settings"})
    told = el("output#all-settings-told.hint", at={"aria-live": "polite"})
    table = el("div.scroll", el("table#all-settings", el("tbody", *rows)))
    summary = el("summary", f"What all runs share, {many(len(rows), 'setting')}")
    folded = el("details", summary, el("div.bar", search, told), table)
    return el("section#settings", el("div.head", el("h2", "Settings")), el("div.card", folded))
