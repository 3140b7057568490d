"""A game on a line, as Figure 1 of Goodfellow et al. 2014, arXiv 1406.2661."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import ConnectionPatch

from gan_cli.plot.grid import Pixels
from gan_cli.plot.paper import DATA, FAKE, INK, PALE, SOFT, Array, drawn, figure, headline, tidy

WIDTH, HEIGHT = 1000, 700
ARROWS = 41


@dataclass(frozen=True)
class Line:
    """What is drawn of a game on a line.

    x: places `(M,)`; p, q: the densities of the data and of G there; d: what D says there and
    `best` what the best D would, NaN where neither p nor q is; `probability` says that both are
    from 0 to 1. bandwidth: of the kernel that q was estimated with. z: codes of samples of G in one
    number each, `(N,)`, and `made` the samples `(N,)`; z_label says what number.
    """

    x: Array
    p: Array
    q: Array
    d: Array
    best: Array | None
    probability: bool
    bandwidth: float
    z: Array
    made: Array
    z_label: str


def line(game: Line, title: str, text: str) -> Pixels:
    """The densities, D against the best D, and where G sends z."""
    made = figure(WIDTH, HEIGHT)
    headline(made, title, text)
    top = made.add_axes((0.075, 0.35, 0.85, 0.46))
    below = made.add_axes((0.075, 0.09, 0.85, 0.20))
    frame = float(game.x[0]), float(game.x[-1])
    _densities(top, game, frame)
    right = top.twinx()
    _verdict(right, game, frame)
    # curves of both axes in one legend, above them
    handles = [*top.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    top.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1.005, 1, 0.1),
        ncols=4,
        mode="expand",
        frameon=False,
        fontsize=10,
        borderaxespad=0,
    )
    _arrows(below, game, frame)
    return drawn(made)


def _densities(axes: Axes, game: Line, frame: tuple[float, float]) -> None:
    label = f"G(z), kernel h = {game.bandwidth:.2g}"
    axes.fill_between(game.x, game.p, color=DATA, alpha=0.13, linewidth=0)
    axes.plot(game.x, game.p, color=DATA, linewidth=2, label="data")
    axes.fill_between(game.x, game.q, color=FAKE, alpha=0.10, linewidth=0)
    axes.plot(game.x, game.q, color=FAKE, linewidth=2, label=label)
    axes.set(xlim=frame, ylim=(0, 1.6 * float(game.p.max())))
    axes.set_ylabel("density", color=SOFT)
    tidy(axes)


def _verdict(axes: Axes, game: Line, frame: tuple[float, float]) -> None:
    name = "σ(D(x)), probability of real" if game.probability else "D(x)"
    axes.plot(game.x, game.d, color=INK, linewidth=1.6, label=name)
    if game.best is not None:
        axes.plot(game.x, game.best, "--", color=INK, linewidth=1.3, label="the best D for this G")
    if game.probability:
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.axhline(0.5, color=PALE, linewidth=0.8, linestyle=(0, (1, 3)))
    else:
        axes.set_ylim(*_span(game.d, game.best))
    axes.set_xlim(frame)
    tidy(axes, ("right",))


def _span(d: Array, best: Array | None) -> tuple[float, float]:
    """Limits around what D says, and around the best D where there is one."""
    said = d if best is None else np.concatenate([d, best[np.isfinite(best)]])
    low, high = float(said.min()), float(said.max())
    margin = 0.08 * (high - low) or 1.0
    return low - margin, high + margin


def _arrows(axes: Axes, game: Line, frame: tuple[float, float]) -> None:
    """Arrows from evenly spread codes, below, to the samples made of them, above."""
    codes = np.linspace(-2.5, 2.5, ARROWS)
    order = np.argsort(game.z, kind="stable")
    chosen = order[np.clip(np.searchsorted(game.z[order], codes), 0, len(order) - 1)]
    middle, half = (frame[0] + frame[1]) / 2, (frame[1] - frame[0]) / 2
    axes.set(xlim=frame, ylim=(0, 1))
    axes.axis("off")
    for z, x in zip(game.z[chosen] / 3 * 0.9 * half + middle, game.made[chosen], strict=True):
        arrow = ConnectionPatch(
            (float(z), 0.0),
            (float(x), 1.0),
            "data",
            arrowstyle="-|>",
            mutation_scale=7,
            color=FAKE,
            alpha=0.75,
            linewidth=0.8,
            shrinkA=0,
            shrinkB=0,
            clip_on=True,
        )
        axes.add_patch(arrow)
    axes.hlines([0, 1], *frame, color=PALE, linewidth=1, clip_on=False)
    for height, name in ((1, "x"), (0, "z")):
        axes.text(-0.018, height, name, transform=axes.transAxes, ha="right", va="center")
    axes.text(0.5, -0.14, game.z_label, transform=axes.transAxes, ha="center", va="top",
              size=9, color=SOFT)  # fmt: skip
