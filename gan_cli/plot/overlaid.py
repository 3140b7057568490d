"""Several runs in one picture: their curves over each other, their points beside each other."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_cli.plot.grid import Pixels
from gan_cli.plot.paper import FAKE, INK, PALE, SOFT, Array, drawn, figure, headline, tidy

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4a4e57", "#8c6bb1")
"""Mostly those of Okabe and Ito 2008, which everyone can tell apart."""

DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))
"""When the colours have run out, lines are told apart by these."""

WIDTH, PANEL, HEAD, FOOT = 1100, 380, 84, 20
"""Pixels: of the picture, of a panel with what is below it, and of the margins."""

LETTERS, LINES, ROW, BETWEEN = 38, 5, 18, 8
"""Signs of a line of the legend, lines of a name at most, pixels of a line, and between names."""

HIGHEST = 480
"""Pixels of the axes of a panel, at most, where its legend is longer."""

FEW = 46
"""Points of a curve up to which each is marked."""

STEEP = 50.0
"""How many times the least the most is where an axis is better logarithmic."""

BROKEN = 3.0
"""Sides of a usual cloud from the middle of all that one may reach and still be shown whole."""

CLOUD, ACROSS, TITLE = 270, 4, 46
"""Pixels of a panel of points, such panels in a row, and pixels of the name above each."""


@dataclass(frozen=True)
class Trace:
    """A group of runs: `lines` are the (x, y) of each, `at`, `mean` and `deviation` of them all."""

    name: str
    lines: Sequence[tuple[Sequence[float], Sequence[float]]]
    at: Sequence[float]
    mean: Sequence[float]
    deviation: Sequence[float]


def overlaid(panels: Mapping[str, Sequence[Trace]], x: str, title: str, text: str) -> Pixels:
    """A panel for each number: every run a thin line, the mean of a group a thick one, in a band of
    one deviation to either side. A group has the same colour in all. `(height, width, 3)`."""
    names = list(dict.fromkeys(trace.name for traces in panels.values() for trace in traces))
    labels = {trace.name: _label(trace) for traces in panels.values() for trace in traces}
    legend = sum(ROW * (label.count("\n") + 1) + BETWEEN for label in labels.values())
    tall = max(PANEL, legend + 40)
    height = HEAD + tall * len(panels) + FOOT
    made = figure(WIDTH, height)
    headline(made, plainly(title), plainly(text))
    for row, (name, traces) in enumerate(panels.items()):
        high = min(tall - 86, HIGHEST)
        bottom = height - HEAD - tall * row - 34 - high
        axes = made.add_axes((0.07, bottom / height, 0.6, high / height))
        for trace in traces:
            _trace(axes, trace, names.index(trace.name))
        _axes(axes, name, x, [y for trace in traces for _, line in trace.lines for y in line])
    return _drawn(made)


def clouds(panels: Mapping[str, Array], title: str, text: str) -> Pixels:
    """Points `(N, 2)` under their names, all in the same frame, `(height, width, 3)`."""
    across = min(ACROSS, len(panels))
    rows = math.ceil(len(panels) / across)
    width, height = max(2, across) * CLOUD + 40, HEAD + rows * (CLOUD + TITLE) + FOOT
    made = figure(width, height)
    headline(made, plainly(title), plainly(text))
    middle, half = _frame(list(panels.values()))
    for index, (name, points) in enumerate(panels.items()):
        left = 20 + index % across * CLOUD
        top = HEAD + index // across * (CLOUD + TITLE) + TITLE
        box = (left / width, 1 - (top + CLOUD - 10) / height, (CLOUD - 10) / width,
               (CLOUD - 10) / height)  # fmt: skip
        axes = made.add_axes(box)
        axes.scatter(points[:, 0], points[:, 1], s=4, color=FAKE, alpha=0.5, linewidths=0)
        axes.set(xlim=(middle[0] - half, middle[0] + half), xticks=[], yticks=[])
        axes.set_ylim(middle[1] - half, middle[1] + half)
        axes.set_title(plainly(_lines(name, 2)), size=9, color=INK, loc="left", pad=5)
        tidy(axes, ("left", "bottom", "top", "right"))
    return _drawn(made)


def _frame(clouds: Sequence[Array]) -> tuple[Array, float]:
    """The middle and half the side of a square that holds all clouds but those that have broken
    down: these would make dots of the others."""
    ends = [np.quantile(one, (0.002, 0.998), axis=0) for one in clouds]
    usual = float(np.median([(high - low).max() for low, high in ends]))
    home = np.median([(low + high) / 2 for low, high in ends], axis=0)
    near = [
        (low, high)
        for low, high in ends
        if max((high - home).max(), (home - low).max()) <= BROKEN * usual
    ]
    lows, highs = zip(*(near or ends), strict=True)
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    return (low + high) / 2, max(float((high - low).max()) * 0.55, 1e-6)


def plainly(text: str) -> str:
    """The text for a picture: no formula is made of it."""
    return text.replace("$", r"\$")


def shortened(name: str) -> str:
    """A name with its middle left out where it is too long for the legend."""
    half = LETTERS // 2
    return name if len(name) <= LETTERS else f"{name[: half - 1]}…{name[-half:]}"


def _lines(name: str, most: int) -> str:
    """A name in lines that the legend has room for; torn where a setting ends, if one does."""
    lines = textwrap.wrap(name, LETTERS, break_on_hyphens=False) or [""]
    return "\n".join(lines[:most]) + ("…" if len(lines) > most else "")


def _label(trace: Trace) -> str:
    return _lines(f"{trace.name} (n\u00a0=\u00a0{len(trace.lines)})", LINES)


def _trace(axes: Axes, trace: Trace, index: int) -> None:
    colour = COLOURS[index % len(COLOURS)]
    style = DASHES[index // len(COLOURS) % len(DASHES)]
    alone = len(trace.lines) == 1
    for x, y in trace.lines if not alone else ():
        axes.plot(x, y, color=colour, linewidth=0.8, alpha=0.35, linestyle=style)
    mean, deviation = np.asarray(trace.mean), np.asarray(trace.deviation)
    axes.fill_between(
        trace.at, mean - deviation, mean + deviation, color=colour, alpha=0.14, linewidth=0
    )
    marker = "o" if len(trace.at) < FEW else ""
    axes.plot(
        trace.at,
        mean,
        color=colour,
        linewidth=2.0,
        linestyle=style,
        marker=marker,
        markersize=3,
        label=plainly(_label(trace)),
    )


def _axes(axes: Axes, name: str, x: str, values: Sequence[float]) -> None:
    """Names, numbers, a legend at the right, and a logarithmic axis for what falls steeply."""
    finite = [value for value in values if math.isfinite(value)]
    steep = bool(finite) and min(finite) > 0 and max(finite) > STEEP * min(finite)
    if steep:
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(min(finite) / 1.2, max(finite) * 1.2)
    axes.set_title(plainly(name), size=11, color=INK, loc="left", pad=8)
    axes.set_xlabel(x, color=SOFT)
    axes.grid(color=PALE, linewidth=0.4, alpha=0.4)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.015, 1.02),
        frameon=False,
        fontsize=9.5,
        labelcolor=SOFT,
        borderaxespad=0,
        labelspacing=BETWEEN / 13.2,
    )
    tidy(axes)


def _drawn(made: Figure) -> Pixels:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a sign that the font lacks is a box
        return drawn(made)
