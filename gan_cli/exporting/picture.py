"""The picture on a card: the first samples there are, none of them chosen."""

from __future__ import annotations

import math

import torch

from gan_cli import __version__
from gan_cli.plot import grid
from gan_cli.sampler import Sampler

SIDE = 8
"""Samples along a side of the picture, at most."""

ROWS = 20
"""Classes in the picture, at most."""

PIXELS = 1024
"""Width of the picture of large images, about."""

POINTS = 4096
"""Points in a plot."""


def picture(sampler: Sampler) -> bytes | None:
    """A PNG of samples of seed 0; None for what can't be drawn, or not without being given images.

    It tells where it comes from, and names nothing of this machine.
    """
    shape = sampler.space.shape
    if sampler.space.given or not (shape in _PLANE or (len(shape) == 3 and 1 <= shape[0] <= 4)):
        return None
    drawn = _points(sampler) if shape in _PLANE else _images(sampler)
    told = {
        "seed": "0",
        "checkpoint": sampler.sha256,
        "step": str(sampler.step),
        "weights": sampler.origin.weights,
        "gan": __version__,
    }
    return grid.png(drawn, told)


_PLANE = {(1,), (2,)}


def _images(sampler: Sampler) -> grid.Pixels:
    side = max(2, min(SIDE, math.ceil(PIXELS / sampler.space.shape[2])))
    if classes := range(min(len(sampler.space.classes), ROWS)):
        return grid.grid(torch.cat(list(sampler.rows(classes, side, 0))), side)
    return grid.grid(sampler.sample(side * side, 0), side)


def _points(sampler: Sampler) -> grid.Pixels:
    from gan_cli.plot.histogram import histogram  # here, because images do without matplotlib
    from gan_cli.plot.scatter import scatter

    points = sampler.sample(POINTS, 0)
    flat = sampler.space.shape == (1,)
    return histogram(points, f"step {sampler.step:,}") if flat else scatter(points)
