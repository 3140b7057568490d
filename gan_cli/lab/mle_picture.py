"""What maximum likelihood and its opposite fit, and the way there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from torch import Tensor

from gan_cli.lab import style
from gan_cli.theory.gaussian import Gaussian
from gan_cli.theory.measure import Grid

COLOURS = {
    "maximum_likelihood": style.COLOURS[3],
    "fgan_kl": style.COLOURS[5],
    "minimax": style.COLOURS[4],
    "nonsaturating": style.FAKE,
    "fgan_reverse_kl": style.JUDGE,
}
DEPTH = LinearSegmentedColormap.from_list("depth", [style.GROUND, "#1b2340", "#3a5a86"])
MU, SIGMA = (-3.4, 3.0), (0.3, 2.8)


@dataclass(frozen=True)
class Mixed:
    """What EM fitted with so many Gaussians: log q on the cells `(M,)`, and how good it is."""

    components: int
    log_q: Tensor
    likelihood: float
    kl: float
    reverse_kl: float
    mean: float


@dataclass(frozen=True)
class Fitted:
    """What a game fitted: the Gaussian, its distances, and mu and sigma on the way."""

    name: str
    descends: str
    covers: bool | None
    seed: int
    q: Gaussian
    kl: float
    reverse_kl: float
    likelihood: float
    way: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Way:
    """A divergence over mu and sigma, and the games that go down it."""

    title: str
    divergence: Callable[[Tensor, Tensor, Tensor], Tensor]
    fitted: tuple[Fitted, ...]


def densities(mixed: Sequence[Mixed], fitted: Sequence[Fitted], grid: Grid, log_p: Tensor) -> bytes:
    """EM, the games that cover and those that seek, each over the data, as a PNG file."""
    drawn, panels = style.figure(
        1,
        3,
        (4.7, 3.5),
        "A model too small for the data has to choose",
        "the data are blue: two modes; one Gaussian can't be both",
    )
    x = grid.x.squeeze(1)
    for panel in panels:
        panel.fill_between(x, log_p.exp(), color=style.REAL, alpha=0.3, linewidth=0)
        panel.set(xlim=(-5.5, 5.5), ylim=(0, 0.74), xlabel="x")
    for mixture, colour in zip(mixed[:2], (style.BRIGHT, style.COLOURS[6]), strict=True):
        count = mixture.components
        label = f"{count} Gaussian{'s' * (count > 1)}, KL(p‖q) = {mixture.kl:.3f}"
        panels[0].plot(x, mixture.log_q.exp(), color=colour, linewidth=2, label=label)
    style.head(panels[0], "maximum likelihood by EM")
    for panel, covers, title in (
        (panels[1], True, "games that cover: KL(p‖q)"),
        (panels[2], False, "games that seek: KL(q‖p)"),
    ):
        strokes = iter(("-", "--"))
        for one in fitted:
            if one.covers is covers:
                _curve(panel, one, x, next(strokes))
            elif one.covers is None and (one.q.std > 1.2) is covers:
                _curve(panel, one, x, ":")
        style.head(panel, title)
    for panel in panels:
        style.legend(panel, "upper right")
    return style.png(drawn)


def landscapes(ways: Sequence[Way], grid: Grid, log_p: Tensor) -> bytes:
    """Each divergence as a landscape over mu and sigma, with the ways down, as a PNG file."""
    drawn, panels = style.figure(
        1,
        len(ways),
        (4.7, 4.1),
        "The way downhill, for G(z) = mu + sigma z",
        "dark is low; each line is a training, from the circle to the dot; "
        "the cross is the lowest place",
    )
    for panel, way in zip(panels, ways, strict=True):
        mu, sigma, heights = _heights(way, grid, log_p)
        levels = np.log(heights - heights.min() + 0.05)
        panel.contourf(mu, sigma, levels, levels=40, cmap=DEPTH)
        panel.contour(
            mu,
            sigma,
            levels,
            levels=16,
            colors=style.REAL,
            linewidths=0.5,
            linestyles="-",
            alpha=0.25,
        )
        low = np.unravel_index(heights.argmin(), heights.shape)
        panel.plot(mu[low[1]], sigma[low[0]], "x", color=style.BRIGHT, markersize=11, zorder=12)
        for one in way.fitted:
            _path(panel, one)
        panel.set(xlim=MU, ylim=SIGMA, xlabel="mu", ylabel="sigma")
        panel.grid(visible=False)
        style.head(panel, way.title)
        style.legend(panel, "lower right")
    return style.png(drawn)


def _curve(panel: Axes, one: Fitted, x: Tensor, stroke: str) -> None:
    label = f"{one.name}: N({one.q.mean:.2f}, {one.q.std:.2f}²)"
    density = one.q.log_prob(x[:, None]).exp()
    panel.plot(x, density, stroke, color=COLOURS[one.name], linewidth=2, label=label)


def _path(panel: Axes, one: Fitted) -> None:
    colour = COLOURS[one.name]
    mu, sigma = np.array(one.way).T
    panel.plot(mu, sigma, color=colour, linewidth=1.5, label=one.name)
    panel.plot(mu[0], sigma[0], "o", mfc="none", mec=style.BRIGHT, markersize=8)
    panel.plot(one.q.mean, one.q.std, "o", color=colour, mec=style.GROUND, markersize=8, zorder=11)


def _heights(way: Way, grid: Grid, log_p: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mu, sigma = np.linspace(*MU, 65), np.linspace(*SIGMA, 61)
    rows = [
        [
            float(way.divergence(log_p, Gaussian(m, s).log_prob(grid.x), grid.weights))
            for m in mu.tolist()
        ]
        for s in sigma.tolist()
    ]
    return mu, sigma, torch.tensor(rows).numpy()
