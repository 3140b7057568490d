"""D as it learns, against the best D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gan_cli.lab import style
from gan_cli.plot.film import film

TITLE = "D, trained against a fixed G, and the best D"
WORDS = (
    "p (data) blue, q (fakes) orange; D's raw output from the first steps (violet) to the last "
    "(yellow); dashed: the best D in closed form"
)
LATE = "#ffe08a"


@dataclass(frozen=True)
class Trained:
    """A D that was trained: its outputs on the cells of a grid at several steps, and its value.

    x `(M,)`, densities `(2, M)` of data and fakes, outputs `(K, M)`, the best D's `(M,)`. `off` is
    the mean error as a probability, where D's output stands for one.
    """

    loss: str
    d: float
    formula: str
    known: float
    x: Tensor
    densities: Tensor
    steps: list[int]
    outputs: Tensor
    values: list[float]
    best: Tensor
    off: float | None

    @property
    def worth(self) -> float:
        """What D's loss came to."""
        return self.values[-1]

    def aligned(self, index: int) -> np.ndarray:
        """D's outputs at a look, shifted where the loss leaves the constant free, `(M,)`."""
        v = self.outputs[index]
        if self.loss in FREE:
            mass = self.densities.sum(0)
            v = v + ((self.best - v) * mass).sum() / mass.sum()
        return v.numpy()


FREE = ("rsgan", "wgan_gp")
"""Losses that don't change when a constant is added to D."""


def curves(shown: Sequence[Trained]) -> bytes:
    """Each loss with D at several steps, as a PNG file."""
    drawn, panels = _stage(shown)
    for panel, one in zip(panels, shown, strict=False):
        looks = [_nearest(one, step) for step in (1, 10, 30, 100, 300)]
        for look in (*looks, len(one.steps) - 1):
            panel.plot(one.x, one.aligned(look), color=_colour(one, look), linewidth=1.6)
        panel.lines[-1].set_linewidth(2.4)
        _ideal(panel, one)
    return style.png(drawn)


def film_of(shown: Sequence[Trained]) -> bytes:
    """Each loss as D learns, as an animated WebP."""
    drawn, panels = _stage(shown)
    for panel, one in zip(panels, shown, strict=False):
        _ideal(panel, one)
    stage, shots = style.Stage(drawn), []
    for look in range(max(len(one.steps) for one in shown)):
        for panel, one in zip(panels, shown, strict=False):
            at = min(look, len(one.steps) - 1)
            line = panel.plot(one.x, one.aligned(at), color=_colour(one, at), linewidth=2.4)
            stage.draw(panel, *line, style.note(panel, f"step {one.steps[at]:,}"))
        shots.append(stage.shot())
    return film(shots, 110)


def errors(shown: Sequence[Trained]) -> bytes:
    """The error of the game's value over the steps, as a PNG file."""
    drawn, (panel,) = style.figure(
        1,
        1,
        (8.4, 4.6),
        "How soon D's loss means something",
        "the distance of D's loss from its closed form, as a share of it",
    )
    for one, colour in zip(shown, [*style.COLOURS, "#ffffff"], strict=False):
        error = np.abs(np.array(one.values) / one.known - 1).clip(1e-5)
        label = f"{one.loss}  ({one.formula}, d = {one.d:g})"
        panel.plot(one.steps, error, color=colour, linewidth=1.8, label=label)
    panel.axhline(0.01, color=style.TEXT, linewidth=1, linestyle=(0, (2, 3)))
    panel.text(1, 0.011, "1 %", color=style.TEXT, size=9, va="bottom")
    panel.set(xscale="log", yscale="log", ylim=(2e-5, 30), xlabel="steps of D")
    style.legend_below(drawn, panel, 2)
    return style.png(drawn)


def _stage(shown: Sequence[Trained]) -> tuple[Figure, list[Axes]]:
    drawn, panels = style.figure(-(-len(shown) // 3), 3, (4.0, 2.75), TITLE, WORDS)
    for panel, one in zip(panels, shown, strict=False):
        p, q = one.densities
        seen = ((p + q) > 2e-3).numpy()
        within = one.best.numpy()[seen]
        low, high = float(within.min()), float(within.max())
        margin = 0.22 * (high - low)
        low, high = low - margin * 1.3, high + margin
        scale = 0.42 * (high - low) / float(p.max())
        for density, colour in ((p, style.REAL), (q, style.FAKE)):
            panel.fill_between(
                one.x, low, low + scale * density, color=colour, alpha=0.28, linewidth=0
            )
        panel.set(xlim=(float(one.x[seen][0]), float(one.x[seen][-1])), ylim=(low, high))
        style.head(panel, f"{one.loss}", f"worth {one.formula}")
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    return drawn, panels


def _ideal(panel: Axes, one: Trained) -> None:
    panel.plot(one.x, one.best, color=style.BRIGHT, linewidth=1.5, linestyle=(0, (4, 3)), zorder=10)


def _nearest(one: Trained, step: int) -> int:
    return min(range(len(one.steps)), key=lambda index: abs(one.steps[index] - step))


def _colour(one: Trained, look: int) -> tuple[float, ...]:
    share = np.log(one.steps[look]) / np.log(one.steps[-1])
    colour: tuple[float, ...] = colormaps["plasma"](0.22 + 0.7 * float(share))
    return colour
