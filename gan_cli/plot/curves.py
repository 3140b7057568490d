"""What became of a run: numbers over its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from gan_cli.plot.grid import Pixels
from gan_cli.plot.paper import INK, PALE, SOFT, drawn, figure, headline, tidy

WIDTH, PANEL, HEAD, FOOT = 940, 210, 104, 20
"""Pixels: of the figure, of a panel and the room below it, and of the margins."""


DOTS = ((0, (1, 2)), (0, (5, 3)))
"""How levels are dotted, to tell two from each other."""


@dataclass(frozen=True)
class Curve:
    """A number over the steps: its name, its values, how it is drawn."""

    name: str
    values: Sequence[float]
    colour: str = INK
    style: str = "-"


@dataclass(frozen=True)
class Level:
    """A number that a curve is held against."""

    name: str
    value: float


@dataclass(frozen=True)
class Panel:
    """Curves that belong together; limits of their axis where they are known."""

    title: str
    curves: Sequence[Curve]
    levels: Sequence[Level] = ()
    low: float | None = None
    high: float | None = None


def curves(steps: Sequence[int], panels: Sequence[Panel], title: str, text: str) -> Pixels:
    """The panels below each other, over the same steps."""
    height = HEAD + PANEL * len(panels) + FOOT
    made = figure(WIDTH, height)
    headline(made, title, text)
    for row, panel in enumerate(panels):
        top = HEAD + PANEL * row
        box = (0.085, 1 - (top + PANEL - 46) / height, 0.66, (PANEL - 46) / height)
        axes = made.add_axes(box)
        _panel(axes, steps, panel)
        axes.tick_params(labelbottom=row == len(panels) - 1)
        if row == len(panels) - 1:
            axes.set_xlabel("step", color=SOFT)
    return drawn(made)


def _panel(axes: Axes, steps: Sequence[int], panel: Panel) -> None:
    for level, dots in zip(panel.levels, DOTS, strict=False):
        axes.axhline(level.value, color=PALE, linewidth=1.1, linestyle=dots, label=level.name)
    for curve in panel.curves:
        axes.plot(
            steps,
            curve.values,
            curve.style,
            color=curve.colour,
            linewidth=1.8,
            marker="o",
            markersize=3,
            label=curve.name,
        )
    axes.set_ylim(panel.low, panel.high)
    axes.set_title(panel.title, size=11, color=INK, loc="left", pad=6)
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, fontsize=9.5, labelcolor=SOFT
    )
    tidy(axes)
