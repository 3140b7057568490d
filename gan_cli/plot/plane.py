"""A game in the plane: samples over the density, what D says, and what the best D would say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from gan_cli.plot.grid import Pixels
from gan_cli.plot.paper import (
    DATA,
    FAKE,
    INK,
    SHADES,
    SOFT,
    VERDICT,
    Array,
    drawn,
    figure,
    headline,
    tidy,
)

PANEL, LEFT, GAP, HEAD, FOOT = 480, 50, 50, 106, 96
"""Pixels: a panel's side, and the room around."""

POINTS = 2500
"""Samples of G, at most."""

APART = 26
"""Arrows along an axis, at most."""

SHARES = (0.9889, 0.8647, 0.3935)
"""The mass of a Gaussian of the plane within 3, 2 and 1 standard deviations."""


@dataclass(frozen=True)
class Plane:
    """What is drawn of a game in the plane.

    frame: left, right, bottom, top. p: masses of the data `(rows, columns)`, from the bottom up.
    d: what D says, `(rows, columns)`, and `best` what the best D would, NaN where there is neither
    data nor fakes; `limits` are the values at the ends of the colours, by default those D takes,
    and `probability` says that it is one. made: samples of G `(N, 2)`.
    pushed and push: some of them, and D's gradient there, `(K, 2)`. close: samples as seen from the
    nearest mean, in standard deviations, `(N, 2)`, where the data have modes.
    """

    frame: tuple[float, float, float, float]
    p: Array
    d: Array
    best: Array | None
    limits: tuple[float, float] | None
    probability: bool
    made: Array
    pushed: Array
    push: Array
    close: Array | None


def plane(game: Plane, title: str, text: str) -> Pixels:
    """Two panels, one more where the best D is known, and one more where the data have modes."""
    panels: list[tuple[str, Callable[[Axes], object]]] = [
        ("samples of G over the data", lambda axes: _samples(axes, game)),
        ("D, and where it pushes samples", lambda axes: _judge(axes, game)),
    ]
    if game.close is not None:
        close = game.close
        panels.append(("all modes laid over each other", lambda axes: _close(axes, close)))
    if game.best is not None:
        best = game.best
        name = "the best D for this G (grey: neither data nor G)"
        panels.append((name, lambda axes: _field(axes, best, game)))
    columns = 2 if len(panels) == 4 else len(panels)
    rows = -(-len(panels) // columns)
    width = LEFT + columns * (PANEL + GAP)
    height = HEAD + rows * (PANEL + FOOT)
    made = figure(width, height)
    headline(made, title, text)
    for place, (name, draw) in enumerate(panels):
        left = LEFT + place % columns * (PANEL + GAP)
        top = HEAD + place // columns * (PANEL + FOOT) + PANEL
        box = (left / width, 1 - top / height, PANEL / width, PANEL / height)
        axes = made.add_axes(box)
        axes.set_title(name, size=11, color=INK, loc="left", pad=7)
        tidy(axes, ("left", "right", "bottom", "top"))
        draw(axes)
    return drawn(made)


def _samples(axes: Axes, game: Plane) -> None:
    _shade(axes, game, filled=True)
    axes.scatter(
        game.made[:POINTS, 0], game.made[:POINTS, 1], s=4, c=FAKE, alpha=0.55, linewidths=0
    )
    axes.set(xlim=game.frame[:2], ylim=game.frame[2:])
    outside = float(_outside(game.made, game.frame).mean())
    gone = f" ({outside:.1%} outside)" if outside else ""
    _key(axes, [(DATA, "data: 39, 86 and 98.9 % of it"), (FAKE, f"G(z){gone}")])


def _judge(axes: Axes, game: Plane) -> None:
    """What D says, and its key below."""
    image = _field(axes, game.d, game)
    _pushes(axes, game)
    bar = axes.inset_axes((0.0, -0.105, 1.0, 0.018))
    scale = axes.figure.colorbar(image, cax=bar, orientation="horizontal")
    scale.outline.set_visible(False)
    bar.tick_params(length=0, labelsize=9, labelcolor=SOFT, pad=2)
    if game.probability:
        scale.set_ticks([0, 0.5, 1], labels=["fake", "σ(D) = ½", "real"])


def _close(axes: Axes, close: Array) -> None:
    """Samples about the nearest mean, in standard deviations, and what a perfect sampler does."""
    axes.scatter(close[:POINTS, 0], close[:POINTS, 1], s=3, c=FAKE, alpha=0.45, linewidths=0)
    angle = np.linspace(0, 2 * np.pi, 200)
    for radius, share in zip((1, 2, 3), SHARES[::-1], strict=True):
        axes.plot(radius * np.cos(angle), radius * np.sin(angle), color=DATA, linewidth=1)
        held = float((np.hypot(*close.T) < radius).mean())
        axes.text(
            0,
            radius,
            f"{radius}σ: {held:.1%} of {share:.1%}",
            size=8.5,
            ha="center",
            va="center",
            color=DATA,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )
    axes.set(xlim=(-5, 5), ylim=(-5, 5))
    _key(axes, [(DATA, "1, 2 and 3 standard deviations"), (FAKE, "G(z), from the nearest mean")])


def _key(axes: Axes, words: list[tuple[str, str]]) -> None:
    """What the colours of a panel are, below it."""
    for (colour, word), x in zip(words, (0.0, 0.52), strict=True):
        axes.text(x, -0.068, "●", transform=axes.transAxes, color=colour, size=9, va="top")
        axes.text(x + 0.028, -0.068, word, transform=axes.transAxes, color=SOFT, size=9, va="top")


def _shade(axes: Axes, game: Plane, filled: bool) -> None:
    """The regions of highest density that hold 99, 86 and 39 of 100 of the data."""
    rows, columns = game.p.shape
    left, right, bottom, top = game.frame
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = bottom + (np.arange(rows) + 0.5) * (top - bottom) / rows
    levels = _levels(game.p)
    if filled:
        axes.contourf(x, y, game.p, [*levels, np.inf], colors=SHADES[-len(levels) :], zorder=0)
    else:
        axes.contour(x, y, game.p, levels[:1], colors=[DATA], linewidths=0.7, alpha=0.7)


def _levels(p: Array) -> list[float]:
    """The densities above which the shares lie, from low to high; equal ones once."""
    ranked = np.sort(p.ravel())[::-1]
    held = np.cumsum(ranked) / ranked.sum()
    places = np.searchsorted(held, SHARES).clip(max=len(ranked) - 1)
    levels = ranked[places].tolist()
    distinct: list[float] = []
    for level in levels:
        if level > 0 and (not distinct or level > distinct[-1] * 1.02):
            distinct.append(level * 0.999)
    return distinct or [float(p.max()) / 2]


def _limits(game: Plane) -> tuple[float, float]:
    """The values at the ends of the colours; the middle one is white."""
    if game.limits is not None:
        return game.limits
    low, high = np.percentile(game.d, [2, 98]).tolist()
    return (low, high) if high > low else (low - 1, low + 1)


def _field(axes: Axes, values: Array, game: Plane) -> AxesImage:
    low, high = _limits(game)
    axes.set_facecolor("#e4e6ea")
    image = axes.imshow(
        values,
        origin="lower",
        extent=game.frame,
        cmap=VERDICT,
        vmin=low,
        vmax=high,
        interpolation="nearest" if np.isnan(values).any() else "bilinear",
        aspect="auto",
    )
    _shade(axes, game, filled=False)
    axes.set(xlim=game.frame[:2], ylim=game.frame[2:])
    return image


def _pushes(axes: Axes, game: Plane) -> None:
    """Arrows along D's gradient; the longer the steeper, up to a tenth of the frame.

    One sample is enough where they crowd.
    """
    side = (game.frame[1] - game.frame[0]) / APART
    _, one = np.unique(np.floor(game.pushed / side), axis=0, return_index=True)
    norm = np.linalg.norm(game.push[one], axis=1, keepdims=True)
    usual = float(np.median(norm)) or 1.0
    longest = 0.11 * (game.frame[1] - game.frame[0])
    step = game.push[one] / np.maximum(norm, 1e-30) * longest * norm / (norm + usual)
    axes.quiver(
        *game.pushed[one].T,
        *step.T,
        color=INK,
        alpha=0.8,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.0026,
        headwidth=4,
        headlength=4.5,
        headaxislength=4,
    )


def _outside(points: Array, frame: tuple[float, float, float, float]) -> np.ndarray:
    x, y = points.T
    left, right, bottom, top = frame
    return (x < left) | (x > right) | (y < bottom) | (y > top)
