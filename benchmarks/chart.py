"""Small line charts, as a PNG each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from PIL import Image

from gan_cli.plot.paper import DATA, FAKE, INK, SOFT, drawn, figure, headline, tidy

WIDTH, HEIGHT = 640, 360
COLOURS = (DATA, FAKE, INK, SOFT)
PLACED = ("log",)
"""Scales that have no 0, and whose numbers are the places measured."""


@dataclass(frozen=True)
class Line:
    """Values over places, and what they are."""

    name: str
    at: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Chart:
    """Lines in one frame; `scales` of x and y: a logarithmic x has the places as its numbers."""

    title: str
    text: str
    x: str
    y: str
    lines: Sequence[Line]
    scales: tuple[str, str] = ("log", "log")


def chart(told: Chart, path: Path) -> Path:
    """Draw it into that file."""
    made = figure(WIDTH, HEIGHT)
    headline(made, told.title, told.text)
    axes = made.add_axes((0.14, 0.16, 0.82, 0.60))
    for line, colour in zip(told.lines, COLOURS, strict=False):
        axes.plot(
            line.at, line.values, color=colour, linewidth=1.8, marker="o", markersize=3.5,
            label=line.name,
        )  # fmt: skip
    x, y = told.scales
    axes.set_xscale(x)
    axes.set_yscale(y)
    if x in PLACED:  # the numbers that were measured, and no others
        axes.set_xticks(told.lines[0].at, [f"{at:,}" for at in told.lines[0].at])
        axes.xaxis.set_minor_locator(NullLocator())
    if y in PLACED:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, 1.15 * max(max(line.values) for line in told.lines))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.set_xlabel(told.x, color=SOFT)
    axes.set_ylabel(told.y, color=SOFT)
    axes.legend(frameon=False, fontsize=9.5, labelcolor=SOFT)
    tidy(axes)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawn(made)).save(path, optimize=True)
    return path
