"""Points of the plane, coloured by how many there are around them."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from gan_cli.plot.grid import Pixels

Points = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

CELLS = 512
"""Cells along each axis in which points are counted."""

BLUR = 33
"""Cells that a point's count is spread over."""


def scatter(points: Tensor, real: Tensor | None = None, size: int = 720) -> Pixels:
    """Points `(N, 2)`, from sparse (dark) to dense (bright), `(size, size, 3)`.

    `real` are points of the data, drawn in grey beneath; they then set the axes, so that pictures
    of one run can be compared, and what lies outside is counted in the corner.
    """
    drawn = _array(points)
    frame = _frame(drawn, 1.12) if real is None else _frame(_array(real), 1.4)
    figure = Figure(figsize=(size / 100, size / 100), dpi=100, facecolor="#0e1016")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.07, 0.06, 0.91, 0.91))
    if real is not None:
        x, y = _array(real).T
        axes.scatter(x, y, s=7, c="#7a8194", linewidths=0, rasterized=True)
    density = _density(drawn, frame)
    order = density.argsort(kind="stable")
    colour = colormaps["plasma"](0.15 + 0.85 * density[order])
    area = float(np.clip(20_000 / len(drawn), 3, 30))
    x, y = drawn[order].T
    axes.scatter(x, y, s=area, c=colour, alpha=0.8, linewidths=0)
    axes.set(xlim=frame[:2], ylim=frame[2:], aspect="equal")
    axes.set_facecolor("#14161e")
    axes.grid(color="#242834", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor="#8a90a2")
    if outside := int((_outside(drawn, frame)).sum()):
        axes.text(
            0.99,
            0.01,
            f"{outside:,} outside",
            transform=axes.transAxes,
            ha="right",
            color="#8a90a2",
        )
    canvas.draw()  # type: ignore[no-untyped-call]
    drawn_pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return drawn_pixels[..., :3].copy()


def _array(points: Tensor) -> Points:
    array: Points = points.detach().cpu().double().numpy()
    return array


def _frame(points: Points, margin: float) -> tuple[float, float, float, float]:
    """A square around the points, with a margin: left, right, bottom, top."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, float((high - low).max()) / 2
    half = max(margin * half, 1e-6 * float(np.abs(middle).max())) or 1.0
    return middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half


def _outside(points: Points, frame: tuple[float, float, float, float]) -> np.ndarray:
    x, y = points.T
    left, right, bottom, top = frame
    return (x < left) | (x > right) | (y < bottom) | (y > top)


def _density(points: Points, frame: tuple[float, float, float, float]) -> Points:
    """How many points lie about each, `(N,)` from 0 to 1: counts in cells, blurred twice."""
    left, right, bottom, top = frame
    x = np.clip((points[:, 0] - left) / (right - left) * CELLS, 0, CELLS - 1).astype(int)
    y = np.clip((points[:, 1] - bottom) / (top - bottom) * CELLS, 0, CELLS - 1).astype(int)
    counts = np.zeros((CELLS, CELLS))
    np.add.at(counts, (x, y), 1)
    window = np.hanning(BLUR)
    for axis in (0, 1):
        counts = np.apply_along_axis(np.convolve, axis, counts, window, "same")
    near = counts[x, y]
    return np.sqrt(near / near.max())
