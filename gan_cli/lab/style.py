"""How the laboratory's pictures look, and how they become files."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gan_cli.plot import grid
from gan_cli.plot.grid import Pixels

GROUND, PANEL, LINES = "#0e1016", "#14161e", "#242834"
TEXT, BRIGHT = "#8a90a2", "#e8eaf2"
REAL, FAKE, JUDGE = "#7fd3ff", "#ffb454", "#ff6b8b"
"""The data, what G makes, and what D says."""

COLOURS = ("#7fd3ff", "#ffb454", "#ff6b8b", "#9ee493", "#c3a6ff", "#f5e663", "#5be0c2", "#b0b6c8")
"""One for each curve of many."""

DPI = 110
Place = Literal["best", "upper right", "upper left", "lower left", "lower right"]


def figure(
    rows: int, columns: int, size: tuple[float, float], title: str, words: str = ""
) -> tuple[Figure, list[Axes]]:
    """A dark figure of `rows × columns` panels, each `size` inches, and the panels row by row.

    `title` stands above, and `words`, smaller, below it.
    """
    width, height = columns * size[0], rows * size[1] + 0.75
    drawn = Figure(figsize=(width, height), dpi=DPI, facecolor=GROUND, layout="constrained")
    FigureCanvasAgg(drawn)
    top = 1 - 0.72 / height
    drawn.get_layout_engine().set(rect=(0.005, 0.005, 0.99, top - 0.005), w_pad=0.07, h_pad=0.07)  # type: ignore[union-attr, call-arg]
    left = 0.14 / width
    drawn.text(left, 1 - 0.14 / height, title, color=BRIGHT, size=15, weight="bold", va="top")
    drawn.text(left, 1 - 0.45 / height, words, color=TEXT, size=10, va="top")
    panels = [drawn.add_subplot(rows, columns, index + 1) for index in range(rows * columns)]
    for panel in panels:
        dress(panel)
    return drawn, panels


def dress(panel: Axes) -> None:
    """Give a panel the laboratory's colours."""
    panel.set_facecolor(PANEL)
    panel.grid(color=LINES, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0, labelsize=8.5, labelcolor=TEXT, which="both")
    panel.xaxis.label.set(color=TEXT, size=9.5)
    panel.yaxis.label.set(color=TEXT, size=9.5)


def head(panel: Axes, text: str, words: str = "", colour: str = BRIGHT) -> None:
    """A panel's title, and a few words at its right."""
    panel.set_title(text, color=colour, size=10.5, loc="left", pad=6)
    panel.set_title(words, color=TEXT, size=9, loc="right", pad=6)


def note(panel: Axes, text: str) -> Artist:
    """A few words in a panel's upper right corner."""
    return panel.text(
        0.97, 0.95, text, color=TEXT, size=9, ha="right", va="top", transform=panel.transAxes
    )


def legend(panel: Axes, place: Place = "best", columns: int = 1) -> None:
    """The names of a panel's curves."""
    shown = panel.legend(
        loc=place,
        ncols=columns,
        fontsize=8.5,
        frameon=True,
        facecolor=PANEL,
        edgecolor="none",
        framealpha=0.8,
        labelcolor=BRIGHT,
    )
    shown.set_zorder(20)


def legend_below(drawn: Figure, panel: Axes, columns: int) -> None:
    """The names of a panel's curves below the whole figure, where the panels share them."""
    drawn.legend(
        *panel.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=columns,
        fontsize=9,
        frameon=False,
        labelcolor=BRIGHT,
    )


def pixels(drawn: Figure) -> Pixels:
    """The figure as it is now, `(height, width, 3)`."""
    canvas: FigureCanvasAgg = drawn.canvas  # type: ignore[assignment]
    canvas.draw()  # type: ignore[no-untyped-call]
    shot: Pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
    return shot


def png(drawn: Figure) -> bytes:
    """The figure as a PNG file."""
    return grid.png(pixels(drawn), {})


class Stage:
    """A figure whose panels are drawn once, with artists that change from shot to shot."""

    def __init__(self, drawn: Figure):
        pixels(drawn)
        self._drawn = drawn
        self._canvas: FigureCanvasAgg = drawn.canvas  # type: ignore[assignment]
        self._ground = self._canvas.copy_from_bbox(drawn.bbox)  # type: ignore[no-untyped-call]

    def draw(self, panel: Axes, *artists: Artist) -> None:
        """Put artists of a panel into the next shot alone."""
        for artist in artists:
            panel.draw_artist(artist)
            artist.remove()

    def shot(self) -> Pixels:
        """The picture with what was drawn; then the stage is empty again."""
        taken: Pixels = np.asarray(self._canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
        self._canvas.restore_region(self._ground)  # type: ignore[no-untyped-call]
        return taken
