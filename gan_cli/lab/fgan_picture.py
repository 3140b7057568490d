"""Gaussians on their way to a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gan_cli.lab import style
from gan_cli.loss.fgan import FGAN
from gan_cli.plot.film import film
from gan_cli.theory import optimum
from gan_cli.theory.divergence import DIVERGENCES, Divergence
from gan_cli.theory.fit import Fit
from gan_cli.theory.gaussian import Gaussian
from gan_cli.theory.measure import Grid, bound, divergence

REACH = (-4.5, 7.0)
MU = (-0.5, 2.5)
SIGMA = (0.85, 2.65)


@dataclass(frozen=True)
class Look:
    """A moment of the game: Q, and D's raw outputs on the cells of the grid, `(M,)`."""

    step: int
    q: Gaussian
    v: Tensor


@dataclass(frozen=True)
class Fitted:
    """A fit by one divergence: the best there is, the moments on the way, and how it ended.

    `bound` is what D reports of the last Q, `value` its true divergence.
    """

    name: str
    best: Fit
    looks: tuple[Look, ...]
    bound: float
    value: float

    @property
    def f(self) -> Divergence:
        """The divergence's functions."""
        return DIVERGENCES[self.name]

    @property
    def q(self) -> Gaussian:
        """The Gaussian learnt."""
        return self.looks[-1].q


def densities(fitted: Sequence[Fitted], log_p: Tensor, grid: Grid) -> bytes:
    """The data, and what each divergence made of them, as a PNG file."""
    drawn, (panel, curve) = style.figure(
        1,
        2,
        (6.0, 4.3),
        "One Gaussian, two modes: what each divergence gives up",
        "left: the data (filled), each Q learnt, and dotted over it the best one by integration.  "
        "Right: what D reports (solid) and the true divergence (dotted)",
    )
    x = grid.x.squeeze(1)
    panel.fill_between(x, 0, log_p.exp(), color=style.REAL, alpha=0.25, linewidth=0)
    for one, colour in zip(fitted, style.COLOURS[1:], strict=False):
        panel.plot(x, one.q.log_prob(grid.x).exp(), color=colour, linewidth=2, label=one.name)
        ideal = one.best.q.log_prob(grid.x).exp()
        panel.plot(x, ideal, color=style.BRIGHT, linewidth=1.2, linestyle=(0, (1, 2.5)))
        steps, said, true = _values(one, log_p, grid)
        curve.plot(steps, said, color=colour, linewidth=1.8, label=one.name)
        curve.plot(steps, true, color=colour, linewidth=1.4, linestyle=(0, (1, 1.5)))
        curve.axhline(one.best.value, color=colour, linewidth=0.7, alpha=0.6)
    panel.set(xlim=REACH, ylim=(0, None), xlabel="x")
    curve.set(xlabel="step", ylim=(0, 1.5))
    style.head(panel, "p and the q's")
    style.head(curve, "the divergence over the steps", "thin: its least value")
    style.legend(panel, "upper right")
    return style.png(drawn)


def landscapes(fitted: Sequence[Fitted], log_p: Tensor, grid: Grid) -> bytes:
    """Each divergence as a landscape over mu and sigma, and the way of the game through it."""
    drawn, panels = _panels(
        fitted,
        "The landscapes that G descends",
        "the darker, the smaller the divergence; the line: mu and sigma, step by step; "
        "the cross: the best there is",
    )
    for panel, one in zip(panels, fitted, strict=False):
        _landscape(panel, one, log_p, grid)
        path = np.array([[look.q.mean, look.q.std] for look in one.looks])
        panel.plot(*path.T, color="#ffe08a", linewidth=1.6)
        panel.plot(*path[0], "o", mec=style.BRIGHT, mfc="none", ms=6)
        panel.plot(*path[-1], "o", color="#ffe08a", ms=6)
        best = one.best.q
        panel.plot(best.mean, best.std, "+", color=style.BRIGHT, ms=12, mew=1.6)
        panel.set(xlim=MU, ylim=SIGMA, xlabel="mu", ylabel="sigma")
        style.head(panel, one.name, f"least {one.best.value:.4f}")
    return style.png(drawn)


def film_of(fitted: Sequence[Fitted], log_p: Tensor, grid: Grid) -> bytes:
    """Q on its way to P, and what D says of it, as an animated WebP."""
    drawn, panels = _panels(
        fitted,
        "A Gaussian on its way",
        "the data blue, Q orange; red: how sure D is that x is real, 0 to 1 (top)",
    )
    x, p = grid.x.squeeze(1), log_p.exp()
    top = 1.15 * float(p.max())
    for panel, one in zip(panels, fitted, strict=False):
        panel.fill_between(x, 0, p, color=style.REAL, alpha=0.3, linewidth=0)
        panel.set(xlim=REACH, ylim=(-0.02 * top, 1.02 * top), yticks=())
        style.head(panel, one.name)
    stage, shots = style.Stage(drawn), []
    for index in range(len(fitted[0].looks)):
        for panel, one in zip(panels, fitted, strict=False):
            look = one.looks[index]
            q = look.q.log_prob(grid.x).exp()
            area = panel.fill_between(x, 0, q, color=style.FAKE, alpha=0.45, linewidth=0)
            real = optimum.probability(FGAN(one.name), look.v)
            line = [] if real is None else panel.plot(x, top * real, color=style.JUDGE, lw=1.5)
            stage.draw(panel, area, *line, style.note(panel, f"step {look.step:,}"))
        shots.append(stage.shot())
    return film(shots, 90)


def _panels(fitted: Sequence[Fitted], title: str, words: str) -> tuple[Figure, list[Axes]]:
    rows = 1 if len(fitted) <= 3 else 2
    drawn, panels = style.figure(rows, 3, (4.1, 3.3), title, words)
    for panel in panels[len(fitted) :]:
        panel.set_visible(False)
    return drawn, panels


def _landscape(panel: Axes, one: Fitted, log_p: Tensor, grid: Grid) -> None:
    mu, sigma = np.linspace(*MU, 33), np.linspace(*SIGMA, 33)
    some = slice(None, None, 4)
    few, p, weights = grid.x[some], log_p[some], 4 * grid.weights[some]
    height = np.array(
        [
            [float(divergence(one.f, p, Gaussian(m, s).log_prob(few), weights)) for m in mu]
            for s in sigma
        ]
    )
    rise = np.log10(np.clip(height - one.best.value, 3e-4, 30))
    levels = np.linspace(-3.5, 1.5, 26)
    panel.contourf(mu, sigma, rise, levels=levels, cmap=colormaps["magma"], extend="both")
    panel.contour(
        mu,
        sigma,
        rise,
        levels=levels[::2],
        colors=style.BRIGHT,
        linewidths=0.35,
        linestyles="solid",
    )


def _values(one: Fitted, log_p: Tensor, grid: Grid) -> tuple[list[int], list[float], list[float]]:
    """Over the steps: what D reports, and the truth."""
    steps, said, true = [], [], []
    for look in one.looks:
        log_q = look.q.log_prob(grid.x)
        steps.append(look.step)
        said.append(float(bound(one.f, look.v, log_p, log_q, grid.weights)))
        true.append(float(divergence(one.f, log_p, log_q, grid.weights)))
    return steps, torch.tensor(said).clamp(min=0).tolist(), true
