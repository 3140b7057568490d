"""Samples of several generators, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gan_cli.lab import style
from gan_cli.plot.grid import grid

SIDE = 8
"""Rows and columns of each grid."""


@dataclass(frozen=True)
class Shown:
    """Images `(N, 1, H, W)`, whose they are, and a few words about them."""

    name: str
    x: Tensor
    words: str


def grids(shown: Sequence[Shown]) -> bytes:
    """The first images of each, in a panel of their own, as a PNG file."""
    drawn, panels = style.figure(
        1,
        len(shown),
        (2.9, 3.1),
        "Before GANs",
        "the first 64 samples of each, none chosen; distance: Fréchet, in the judge's features",
    )
    for index, (panel, one) in enumerate(zip(panels, shown, strict=True)):
        panel.imshow(grid(one.x[: SIDE * SIDE], SIDE, 8), interpolation="nearest")
        panel.set(xticks=[], yticks=[])
        panel.grid(visible=False)
        style.head(panel, one.name, one.words, style.FAKE if index else style.REAL)
    return style.png(drawn)
