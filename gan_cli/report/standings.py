"""The leaderboard of a page: groups in order, each figure as mean ± deviation over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gan_cli.report.markup import Html, el
from gan_cli.report.words import count, many, number, plus_minus
from gan_cli.study.brief import FEW, brief
from gan_cli.study.leaderboard import Board, Figure, Group

MOST = 500
"""Groups that are listed, at most."""

FLAGS = 3
"""Other ways to measure a figure that are told, at most."""

_DONE = "done"


class Names:
    """What groups with these settings are called: by what tells them apart, in few words."""

    def __init__(self, groups: Sequence[Group], columns: Sequence[str]):
        self._short = len(columns) > FEW
        names = brief(groups, columns)
        self._known = {group.key: name for group, name in zip(groups, names, strict=True)}

    def __call__(self, group: Group) -> str:
        """A group, as its settings are typed."""
        return self._known[group.key]

    def values(self, group: Group) -> str:
        """A group by the values alone, where it has few settings."""
        told = [value for value in group.key if value != ""]
        return " · ".join(told) if len(told) > 1 and not self._short else self(group)


def ranked(made: Board) -> bool:
    """Whether any of the figures has a better and a worse; losses have neither."""
    return any(figure.better for figure in made.figures)


def section(made: Board, names: Names) -> Html:
    """The table, sorted by a click, and what has to be said of it."""
    sides = [f"{figure.name}: {_BETTER[figure.better]}" for figure in made.figures if figure.better]
    order = "★ the best mean." if ranked(made) else "in the order of names."
    hint = f"Mean ± sample deviation over seeds; {order} A click on a head sorts."
    notes = [
        f"{figure.name} of {many(runs, 'run')} was measured otherwise and doesn't count ({said})"
        for figure in made.figures
        for said, runs in figure.flags[:FLAGS]
    ]
    if made.twice:
        notes.append(f"{many(made.twice, 'run')} left out: another of the same seed got further")
    notes += [f"{result.name}: {result.reason}" for result in made.unreadable]
    if len(made.groups) > MOST:
        notes.append(f"{count(len(made.groups) - MOST)} more groups are not listed")
    return el(
        "section#leaderboard",
        el("div.head", el("h2", title(made)), el("p.hint", hint)),
        el(
            "div.card",
            el("div.scroll", _table(made, names)) if made.groups else el("p.hint", "No run yet."),
            el("p.hint.spaced", "; ".join(sides) if sides else _NEITHER) if made.figures else None,
            *(el("p.hint", note) for note in notes),
        ),
    )


_BETTER = {1: "more is better", -1: "less is better"}
_NEITHER = "Of a loss neither more nor less is better: train with metric=[frechet], or another."


def title(made: Board) -> str:
    """What the table is: no board of leaders where nothing is better."""
    return "Leaderboard" if ranked(made) else "Groups"


def anchor(at: int) -> str:
    """Where on the page the runs of a group are."""
    return f"group-{at + 1}"


def _table(made: Board, names: Names) -> Html:
    """Groups by row; of many settings the figures come first, to be seen at once."""
    ways = {1: "descending", -1: "ascending", 0: "ascending"}
    settings = [_head(column, "", "ascending") for column in made.columns]
    figures = [_head(figure.name, ".n", ways[figure.better]) for figure in made.figures]
    heads = [_head("#", "", "ascending")] if ranked(made) else []
    heads += [*figures, *settings] if len(settings) > FEW else [*settings, *figures]
    heads += [_head("runs", ".n", "descending"), _head("at step", ".n.late", "descending")]
    best = {figure.name: _best(made, figure) for figure in made.figures}
    rows = [_row(made, names, at, group, best) for at, group in enumerate(made.groups[:MOST])]
    return el("table", el("thead", el("tr", *heads)), el("tbody", *rows))


def _head(text: str, kind: str, first: str) -> Html:
    return el(f"th{kind}", el("button", text, at={"type": "button"}), at={"data-first": first})


def _best(made: Board, figure: Figure) -> Group | None:
    known = [group for group in made.groups if math.isfinite(group.mean(figure.name))]
    if not figure.better or len(known) < 2:
        return None
    return max(known, key=lambda group: figure.better * group.mean(figure.name))


def _row(made: Board, names: Names, at: int, group: Group, best: dict[str, Group | None]) -> Html:
    about = {"href": f"#{anchor(at)}", "aria-label": f"the runs of {names(group)}"}
    settings = [el("td", key or "–") for key in group.key]
    figures = [_cell(group, one, best[one.name] is group) for one in made.figures]
    place = el("td.name", el("a", str(at + 1), at=about), at={"data-v": at})
    cells = [place] if ranked(made) else []
    cells += [*figures, *settings] if len(settings) > FEW else [*settings, *figures]
    done, runs = group.states[_DONE], len(group.results)
    others = [f"{n} {state}" for state, n in group.states.items() if state != _DONE]
    told = el("small", f" ({', '.join(others)})") if others else None
    cells.append(
        el(
            "td.n",
            count(runs) if cells[0] is place else el("a", count(runs), at=about),
            told,
            at={"data-v": done},
        )
    )
    cells.append(el("td.n.late", count(group.step), at={"data-v": group.step}))
    return el("tr", *cells)


def _cell(group: Group, figure: Figure, best: bool) -> Html:
    found = group.spread(figure.name)
    kind = "td.n.best" if best else "td.n"
    if found is None or not math.isfinite(found.mean):
        return el("td.n", "–", at={"data-v": ""})
    some = found.n < len(group.results)
    error = el("span.pm", f" {plus_minus(found.deviation)}{f' of {found.n}' if some else ''}")
    return el(kind, number(found.mean), error, at={"data-v": f"{found.mean:.9g}"})
