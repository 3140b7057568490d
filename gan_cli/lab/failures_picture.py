"""Failures and their cures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from gan_cli.lab import style

ILL, WELL = style.JUDGE, style.COLOURS[3]


@dataclass(frozen=True)
class Shown:
    """The figure of a failure, and what there is to draw of it."""

    value: float
    a: Tensor
    b: Tensor | None = None


@dataclass(frozen=True)
class Clinic:
    """A failure before and after its cure."""

    name: str
    figure: str
    cure: str
    seed: int
    ill: Shown
    well: Shown


def clinic(cases: Sequence[Clinic]) -> bytes:
    """A column for each failure, before above and after below, as a PNG file."""
    drawn, panels = style.figure(
        2,
        len(cases),
        (3.7, 3.1),
        "Five failures, and the flag that cures each",
        "above: provoked; below: the same command with one flag more",
    )
    for column, case in enumerate(cases):
        pair = panels[column], panels[column + len(cases)]
        for panel, shown, colour in zip(pair, (case.ill, case.well), (ILL, WELL), strict=True):
            DRAWN[column](panel, shown, colour)
            style.note(panel, f"{case.figure}: {shown.value:.3g}")
        style.head(pair[0], case.name, colour=ILL)
        style.head(pair[1], case.cure, colour=WELL)
        _share_limits(*pair)
    return style.png(drawn)


def _points(panel: Axes, shown: Shown, colour: str) -> None:
    if shown.b is not None:
        panel.plot(*shown.b.T.numpy(), "o", mfc="none", mec=style.REAL, markersize=12)
    panel.scatter(shown.a[:, 0], shown.a[:, 1], s=4, color=colour, alpha=0.5, linewidths=0)
    panel.set(xlim=(-1.7, 1.7), ylim=(-1.4, 1.7), xticks=[], yticks=[])


def _curve(panel: Axes, shown: Shown, colour: str) -> None:
    curve = shown.a.clamp(min=1e-8)
    panel.plot(5 * np.arange(len(curve)), curve, color=colour, linewidth=2)
    panel.set(yscale="log", xlabel="steps of G")


def _opinions(panel: Axes, shown: Shown, colour: str) -> None:
    assert shown.b is not None
    every = np.concatenate([shown.a.numpy(), shown.b.numpy()])
    low, high = np.quantile(every, [0.005, 0.995])
    bins = np.linspace(low, high, 50).tolist()
    for values, shade, label in (
        (shown.a, colour, "D's data"),
        (shown.b, style.TEXT, "held out"),
    ):
        panel.hist(values.numpy(), bins, density=True, color=shade, alpha=0.6, label=label)
    panel.set(yticks=[], xlabel="D's output")
    panel.set_ylim(0, 1.55 * panel.get_ylim()[1])
    panel.legend(
        loc=(0.02, 0.66), fontsize=8.5, frameon=False, labelcolor=style.BRIGHT, handlelength=1.2
    )


def _slopes(panel: Axes, shown: Shown, colour: str) -> None:
    logs = np.log10(shown.a.clamp(min=1e-6).numpy())
    panel.hist(logs, np.linspace(-5, 1.5, 60).tolist(), color=colour)
    panel.set(yticks=[], xlabel="log₁₀ of D's slope at a fake")
    panel.set_ylim(0, 1.25 * panel.get_ylim()[1])


def _pairs(panel: Axes, shown: Shown, colour: str) -> None:
    assert shown.b is not None
    high = 1.35 * float(max(shown.a.max(), shown.b.max()))
    panel.plot([0, high], [0, high], color=style.TEXT, linewidth=1, linestyle=(0, (4, 3)))
    panel.scatter(shown.a, shown.b, s=16, color=colour, linewidths=0)
    panel.set(xlabel="slope in one batch", ylabel="the same sample's in another")


DRAWN = (_points, _curve, _opinions, _slopes, _pairs)


def _share_limits(above: Axes, below: Axes) -> None:
    """The same axes in both, where a curve's height is what is compared."""
    if above.get_yscale() == "log":
        low = min(above.get_ylim()[0], below.get_ylim()[0])
        high = 10 * max(above.get_ylim()[1], below.get_ylim()[1])
        above.set_ylim(low, high)
        below.set_ylim(low, high)
