"""Distances over θ, and what D and critics say where there is nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from gan_cli.lab import style


@dataclass(frozen=True)
class Estimates:
    """What was learnt of two segments at distance θ: JS by D, W1 by two critics."""

    theta: float
    js: float
    w1: float
    penalised: float


@dataclass(frozen=True)
class Apart:
    """A judge of two Gaussians that hardly meet: its raw output v at x, both `(M,)`.

    `gradients` are the sizes of G's gradient at `steps` of D; `fooled` is the mean of sigmoid(v),
    and `slope` that of v's derivative, at fakes.
    """

    name: str
    x: Tensor
    v: Tensor
    steps: list[int]
    gradients: list[float]
    fooled: float
    slope: float


COLOURS = dict(
    zip(
        ("D", "critic", "penalised critic", "non-saturating"),
        (style.JUDGE, style.COLOURS[3], style.COLOURS[4], style.COLOURS[1]),
        strict=True,
    )
)


def distances(estimates: Sequence[Estimates]) -> bytes:
    """JS and W1 over θ, exact and as learnt, as a PNG file."""
    drawn, (left, right) = style.figure(
        1,
        2,
        (5.6, 4.0),
        "Two segments at distance θ",
        "lines: exact; dots: as learnt.  Only the right one has a slope that leads to θ = 0",
    )
    theta = [one.theta for one in estimates]
    reach = 1.12 * max(theta)
    for low, high in ((-reach, 0), (0, reach)):
        left.plot((low, high), [math.log(2)] * 2, color=style.BRIGHT, linewidth=1.5)
    left.plot(0, math.log(2), "o", mec=style.BRIGHT, mfc=style.PANEL, ms=7, zorder=4)
    left.plot(0, 0, "o", color=style.BRIGHT, ms=7, zorder=4)
    left.plot(theta, [one.js for one in estimates], "o", color=COLOURS["D"], ms=5, zorder=5)
    left.text(0, math.log(2) + 0.035, "log 2", color=style.TEXT, size=9, ha="center")
    left.set(ylim=(-0.05, 0.8))
    style.head(left, "Jensen-Shannon, by D")
    near = np.linspace(-reach, reach, 201)
    right.plot(near, np.abs(near), color=style.BRIGHT, linewidth=1.5, label="|θ|")
    steep = np.abs(near) * (1 + np.abs(near) / 20)
    right.plot(
        near, steep, color=style.BRIGHT, linewidth=1, ls=(0, (3, 2)), label="|θ| (1 + |θ|/2λ)"
    )
    for name, values in (
        ("critic", [one.w1 for one in estimates]),
        ("penalised critic", [one.penalised for one in estimates]),
    ):
        right.plot(theta, values, "o", color=COLOURS[name], ms=5, label=name)
    style.head(right, "Wasserstein-1, by critics")
    for panel in (left, right):
        panel.set(xlabel="θ", xlim=(-reach, reach))
    style.legend(right)
    return style.png(drawn)


def gradients(apart: Sequence[Apart]) -> bytes:
    """What D and critics say over x, and the gradient that reaches G, as a PNG file."""
    drawn, (left, right) = style.figure(
        1,
        2,
        (5.9, 4.2),
        "Far apart: a D that is sure, and critics that still point the way",
        "left: data (blue) and fakes (orange), D as a probability and the critics, trained.  "
        "Right: while they learn, the gradient in G's mean",
    )
    seen = {one.name: one for one in apart}
    x = seen["D"].x
    for mean, colour in ((-4.0, style.REAL), (4.0, style.FAKE)):
        bump = 2.2 * (-((x - mean) ** 2) / 2).exp()
        left.fill_between(x, -8, -8 + bump, color=colour, alpha=0.35, linewidth=0)
    for name in ("critic", "penalised critic"):
        one = seen[name]
        left.plot(x, one.v - one.v[len(x) // 2], color=COLOURS[name], linewidth=2, label=name)
    left.set(ylim=(-8, 8), xlim=(-8, 8), xlabel="x")
    left.set_ylabel("the critics' outputs")
    scale = left.twinx()
    style.dress(scale)
    scale.patch.set_visible(False)
    scale.grid(visible=False)
    scale.plot(x, seen["D"].v.sigmoid(), color=COLOURS["D"], linewidth=2.2)
    scale.set(ylim=(-0.6, 1.6), yticks=(0, 0.5, 1))
    scale.tick_params(labelcolor=COLOURS["D"])
    left.plot([], [], color=COLOURS["D"], linewidth=2.2, label="D, right scale")
    style.legend(left, "upper right")
    for one in apart:
        label = {"D": "D: log(1 - D)", "non-saturating": "D: -log D"}.get(one.name, one.name)
        right.plot(one.steps, one.gradients, color=COLOURS[one.name], linewidth=2, label=label)
    right.set(xscale="log", yscale="log", xlabel="steps of D")
    style.head(left, "what they say")
    style.head(right, "|gradient| that reaches G")
    style.legend(right, "lower left")
    return style.png(drawn)
