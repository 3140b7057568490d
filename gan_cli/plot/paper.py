"""One look for every figure: white paper, and colours that everyone can tell apart.

Blue is the data and what D takes for it, vermilion is G and what D takes for fake (of the palette
of Okabe and Ito 2008), black is D.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from gan_cli.plot.grid import Pixels

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

DATA = "#0072B2"
FAKE = "#D55E00"
INK = "#1b1d22"
SOFT = "#4a4e57"
PALE = "#8b909b"
SHADES = ("#dbeaf5", "#aacfe8", "#62a8d3")
"""The data's density, from what holds nearly all of it to what holds the most of it."""

VERDICT = LinearSegmentedColormap.from_list(
    "verdict", ["#b94e00", "#e99a5c", "#f8d9c0", "#fbfbfb", "#c5dff0", "#62a8d3", "#00629a"]
)
"""Fake to real, through a white that says one half."""


def figure(width: int, height: int) -> Figure:
    """An empty figure of that many pixels."""
    made = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="white")
    FigureCanvasAgg(made)
    return made


def drawn(made: Figure) -> Pixels:
    """The figure as pixels `(height, width, 3)`."""
    canvas = FigureCanvasAgg(made)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def tidy(axes: Axes, sides: tuple[str, ...] = ("left", "bottom")) -> None:
    """Thin lines, small numbers, and no box but the sides named."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in sides)
        spine.set_color(PALE)
        spine.set_linewidth(0.8)
    axes.tick_params(length=3, width=0.8, color=PALE, labelsize=9, labelcolor=SOFT)


def headline(made: Figure, title: str, text: str) -> None:
    """A title at the left, and what there is to say below it."""
    height = made.get_figheight()
    made.text(0.02, 1 - 0.20 / height, title, size=14, weight="bold", color=INK, va="top")
    made.text(0.02, 1 - 0.50 / height, text, size=10, color=SOFT, va="top")
