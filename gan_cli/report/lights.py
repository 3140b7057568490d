"""What was noticed of a run while it trained: a strip of lights for each sign, and last words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

from gan_cli.diagnosis import Light, Sign, light
from gan_cli.doctor.history import Seen
from gan_cli.report.markup import Html, el, join
from gan_cli.report.words import count, many, number

SIGNS = 30
"""Signs that are shown, at most."""

_SPAN = 1000  # units of a strip's width
_HEIGHTS = {Light.GREEN: 5, Light.YELLOW: 11, Light.RED: 18}  # not told by colour alone

Looks = Sequence[tuple[int, dict[str, Sign]]]
Stretch = tuple[int, int, Light, str]


def looks(seen: Seen) -> Looks:
    """The signs by step."""
    return [(look.step, told) for look, told in seen if 0 <= look.step < 2**53 and told]


def strips(found: Looks) -> Html | None:
    """A strip for all signs and one for each, and what they said last; None where nobody looked."""
    if not found:
        return None
    names = list(dict.fromkeys(name for _, told in found for name in told))[:SIGNS]
    rows = [_strip("all signs", _stretches(found, None), found, ".all")]
    rows += [_strip(name, _stretches(found, name), found, "") for name in names]
    ends = [el("span", f"step {count(found[0][0])}"), el("span", count(found[-1][0]))]
    last = el("details", el("summary", "In numbers, at the last look"), _now(found[-1][1]))
    return el(
        "div.card",
        el("div.head", el("h3", "Lights"), el("p.hint", f"of {many(len(found), 'look')}")),
        el("div.lights", *rows, el("span"), el("div.ends", *ends)),
        last,
    )


def facts(found: Looks) -> list[list[Any]]:
    """Stretches of yellow and red of the worst of all signs, for the curves."""
    runs = _stretches(found, None)
    ends = [start for start, *_ in runs[1:]] + [runs[-1][1]] if runs else []
    return [
        [start, end, worst.word]
        for (start, _, worst, _), end in zip(runs, ends, strict=True)
        if worst is not Light.GREEN
    ]


def badge(worst: Light, words: str = "") -> Html:
    """A light, in words too."""
    return el(f"span.badge.{worst.word}", words or worst.word)


def last(found: Looks) -> Light | None:
    """The light of the last look."""
    return light(found[-1][1]) if found else None


def _stretches(found: Looks, name: str | None) -> list[Stretch]:
    """Looks in a row of the same light: from which step to which, and the last words."""
    told = [(step, _of(signs, name)) for step, signs in found]
    known = [(step, one) for step, one in told if one is not None]
    runs: list[Stretch] = []
    for worst, group in groupby(known, key=lambda each: each[1][0]):
        steps = list(group)
        runs.append((steps[0][0], steps[-1][0], worst, steps[-1][1][1]))
    return runs


def _of(signs: dict[str, Sign], name: str | None) -> tuple[Light, str] | None:
    if name is not None:
        one = signs.get(name)
        return None if one is None else (one.light, one.words)
    worst = light(signs)
    return worst, "; ".join(s.words for s in signs.values() if s.light is worst is not Light.GREEN)


def _strip(name: str, runs: list[Stretch], found: Looks, kind: str) -> Html:
    """A bar over the steps, higher where the light is worse; it changes halfway between looks."""
    first, end = found[0][0], found[-1][0]
    scale = _SPAN / (end - first) if end > first else 0.0
    between = [(run[1] + following[0]) / 2 for run, following in pairwise(runs)]
    edges = [runs[0][0], *between, runs[-1][1]]
    bars = []
    for (start, to, worst, words), (begin, stop) in zip(runs, pairwise(edges), strict=True):
        left = (begin - first) * scale
        width = max(4.0, (stop - begin) * scale) if scale else _SPAN
        height = _HEIGHTS[worst]
        place = {"x": f"{min(left, _SPAN - 4):.1f}", "y": 18 - height, "height": height}
        title = el("title", f"{_steps(start, to)}: {worst.word}. {words}")
        at = place | {"width": f"{width:.1f}"}
        bars.append(el(f"rect.fill.{worst.word}", title, at=at))
    told = ", ".join(f"{worst.word} {_steps(a, b)}" for a, b, worst, _ in runs[:8])
    frame = {"viewBox": f"0 0 {_SPAN} 18", "preserveAspectRatio": "none", "role": "img"}
    strip = el("svg", *bars, at=frame | {"aria-label": f"{name}: {told}"})
    return join([el(f"span{kind}", name), strip])


def _now(signs: dict[str, Sign]) -> Html:
    head = [el("th", "Sign"), el("th.n", "Value"), el("th.n", "Limit"), el("th", "In words")]
    rows = [
        el(
            "tr",
            el("td", badge(sign.light, name)),
            el("td.n", number(sign.value)),
            el("td.n", number(sign.limit)),
            el("td.words", sign.words),
        )
        for name, sign in list(signs.items())[:SIGNS]
    ]
    return el("div.scroll", el("table", el("thead", el("tr", *head)), el("tbody", *rows)))


def _steps(start: int, end: int) -> str:
    return f"step {count(start)}" if start == end else f"steps {count(start)}–{count(end)}"
