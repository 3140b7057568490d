"""The samples of a run over time: one at a time, with a slider."""

from __future__ import annotations

from typing import Any

from gan_cli.report import pictures
from gan_cli.report.markup import Html, el, join
from gan_cli.report.pictures import Picture
from gan_cli.report.words import count, many
from gan_cli.study.folder import Folder

THUMBS = 8
"""Small pictures below the slider, at most."""

REAL = ("real.png", "samples/real.png")
"""Where a run may keep real samples."""

_PLAY = (
    '<svg viewBox="0 0 12 12" aria-hidden="true"><path d="M2.5 1v10l8-5z"/>'
    '<path d="M2 1.5h3v9H2zM7 1.5h3v9H7z"/></svg>'
)


def section(folder: Folder, facts: dict[str, Any], real: bool = True) -> Html | None:
    """The samples, the last of them shown; None where there are none. `facts` gets them all."""
    samples = folder.samples
    kept = pictures.chosen(samples)
    if not kept:
        return None
    facts["samples"] = [{"step": step, "url": picture.url} for step, picture in kept]
    beside = [_real(folder)] if real else []
    shown = [_figure(*kept[-1]), *(one for one in beside if one)]
    return el(
        "div.card",
        el("div.head", el("h2", "Samples"), el("p.hint", _words(len(samples), len(kept)))),
        el(f"div.stage{'.beside' if len(shown) > 1 else ''}", *shown),
        _player(kept) if len(kept) > 1 else None,
    )


def _figure(step: int, picture: Picture) -> Html:
    return el("figure", picture.element("#sample", f"samples at step {step}"))


def _real(folder: Folder) -> Html | None:
    found = (pictures.read(folder.path / name) for name in REAL)
    picture = next((one for one in found if one), None)
    if picture is None:
        return None
    image = picture.element("", "real samples")
    return el("figure", image, el("figcaption", "real samples"))


def _player(kept: list[tuple[int, Picture]]) -> Html:
    steps = [step for step, _ in kept]
    last = len(steps) - 1
    about = {"type": "range", "min": 0, "max": last, "value": last, "step": 1}
    slider = el("input#slider", at=about | {"aria-label": "samples over time, by step"})
    bar = el(
        "div.player",
        el("button#play", Html(_PLAY), at=_BUTTON | {"aria-label": "play"}),
        el("button#before", "‹", at=_BUTTON | {"aria-label": "the sample before"}),
        slider,
        el("button#after", "›", at=_BUTTON | {"aria-label": "the next sample"}),
        el("output#sample-step", f"step {count(steps[-1])}", at={"for": "slider"}),
    )
    shown = pictures.spread(range(len(steps)), THUMBS)
    thumbs = [
        el(
            "button",
            el("img", at={"alt": ""}),
            count(steps[i]),
            at=_BUTTON | {"value": i, "aria-label": f"samples at step {steps[i]}"},
        )
        for i in shown
    ]
    return join([bar, el("div.strip", *thumbs) if len(steps) > 2 else None])


_BUTTON = {"type": "button"}


def _words(there: int, kept: int) -> str:
    if kept == there:
        return f"{many(there, 'picture')}, of the same noise" if there > 1 else ""
    return (
        f"{kept} of {many(there, 'picture')}, evenly spread, of the same noise; the others are in "
        "the run's directory"
    )
