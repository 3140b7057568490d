"""The curves that show what is wrong with a run, with the limits that they crossed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from matplotlib.axes import Axes

from gan_cli.plot.grid import Pixels
from gan_cli.plot.paper import DATA, INK, PALE, SOFT, drawn, figure, headline, tidy

WIDTH, PANEL, HEAD, FOOT = 940, 190, 88, 30
"""Pixels: of the figure, of a panel and the room below it, and of the margins."""

LIMITS = {"yellow": "#b58900", "red": "#c0392b"}
"""The colour of a limit, by the light that begins at it."""

STEEP = 50.0
"""Largest over smallest from which an axis is logarithmic."""

LETTERS = 120
"""Characters of a line below the title."""


class Line(Protocol):
    """A number over the steps, and the limits it is held against."""

    @property
    def name(self) -> str:
        """What is drawn."""

    @property
    def steps(self) -> Sequence[int]:
        """Where."""

    @property
    def values(self) -> Sequence[float]:
        """How much; a number that is none leaves a gap."""

    @property
    def limits(self) -> Mapping[str, float]:
        """Where the yellow and the red begin."""


def signs(lines: Sequence[tuple[str, Line]], title: str, text: str) -> Pixels:
    """The curves below each other, each with its title, its limits drawn in."""
    height = HEAD + PANEL * len(lines) + FOOT
    made = figure(WIDTH, height)
    headline(made, title, text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…")
    for row, (above, line) in enumerate(lines):
        top = HEAD + PANEL * row
        axes = made.add_axes((0.085, 1 - (top + PANEL - 52) / height, 0.8, (PANEL - 52) / height))
        _panel(axes, above, line)
    return drawn(made)


def _panel(axes: Axes, above: str, line: Line) -> None:
    few = len(line.steps) <= 60
    axes.plot(
        line.steps,
        line.values,
        "-",
        color=INK,
        linewidth=1.8 if few else 1.0,
        marker="o" if few else None,
        markersize=3,
    )
    for name, value in line.limits.items():
        colour = LIMITS.get(name, DATA)
        axes.axhline(value, color=colour, linewidth=1.1, linestyle=(0, (5, 3)))
        place = (1.01, value)
        axes.annotate(
            f"{name} {value:g}",
            place,
            xycoords=axes.get_yaxis_transform(),
            va="center",
            size=9,
            color=colour,
            annotation_clip=False,
        )
    sizes = [value for value in line.values if math.isfinite(value)] + [*line.limits.values()]
    if sizes and min(sizes) > 0 and max(sizes) / min(sizes) > STEEP:
        axes.set_yscale("log")
    elif sizes and min(sizes) >= 0:
        axes.set_ylim(0, 1.08 * max(sizes) or 1)
    axes.set_title(above, size=11, color=INK, loc="left", pad=6)
    axes.set_ylabel(line.name, size=9, color=SOFT)
    axes.grid(visible=True, axis="x", color=PALE, alpha=0.2)
    tidy(axes)
