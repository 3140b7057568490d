"""Samples over the modes they should fall on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from torch import Tensor

from gan_cli.lab import style
from gan_cli.metric.modes import RADIUS, Modes

POINTS = 2500


@dataclass(frozen=True)
class Played:
    """What a method made: samples `(N, 2)`, the modes' means `(K, 2)` and std, and the score."""

    data: str
    method: str
    seed: int
    steps: int
    x: Tensor
    means: Tensor
    std: float
    modes: Modes

    @property
    def words(self) -> str:
        """Modes and share in a few words."""
        return f"{self.modes.found}/{self.modes.count} modes, {100 * self.modes.share:.1f} %"


def scatters(played: Sequence[Played]) -> bytes:
    """Samples of each, those of high quality in another colour, as a PNG file."""
    names = list(dict.fromkeys(one.data for one in played))
    columns = max(sum(one.data == name for one in played) for name in names)
    drawn, panels = style.figure(
        len(names),
        columns,
        (3.9, 3.9),
        "Modes found, and the samples that are on one",
        f"orange: within {RADIUS:g} standard deviations of a mean (98.9 % of a perfect sampler's); "
        "red: elsewhere; circles: the modes, enlarged",
    )
    for row, name in enumerate(names):
        shown = [one for one in played if one.data == name]
        for panel, one in zip(panels[row * columns :], shown, strict=False):
            _samples(panel, one)
    return style.png(drawn)


def _samples(panel: Axes, one: Played) -> None:
    x = one.x[:POINTS]
    good = torch.cdist(x, one.means).amin(1) < RADIUS * one.std
    reach = 1.35 * float(one.means.abs().max())
    size = max(2 * RADIUS * one.std, 0.075 * reach)
    panel.add_collection(
        EllipseCollection(
            [size] * len(one.means),
            [size] * len(one.means),
            [0] * len(one.means),
            units="xy",
            offsets=one.means.numpy(),
            offset_transform=panel.transData,
            facecolors="none",
            edgecolors=style.REAL,
            linewidths=1,
            alpha=0.75,
        )
    )
    for which, colour in ((~good, style.JUDGE), (good, style.FAKE)):
        panel.scatter(x[which, 0], x[which, 1], s=3, color=colour, alpha=0.55, linewidths=0)
    panel.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    style.head(panel, f"{one.data}: {one.method}", one.words)
