"""Densities as masses of equal cells, and divergences between them at a stated resolution.

A generator is known by its samples alone. Counting them in cells and blurring the counts by a
Gaussian of width h gives the density of G(z) + h·noise, up to the noise of counting; the law of the
data is blurred alike. By the data processing inequality a divergence after blurring is at most the
one before, and it is 0 where the two agree: a lower bound that says how fine it looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan_cli.randomness import mix
from gan_cli.theory.measure import js, kl

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

Frame = tuple[float, ...]
"""What a picture shows: (left, right) of a line, (left, right, bottom, top) of the plane."""

DRAWN = 1000
"""Histograms that are drawn to know what chance allows."""


@dataclass(frozen=True)
class Cells:
    """Equal cells over a frame, `count` along each axis."""

    frame: Frame
    count: int

    @property
    def axes(self) -> int:
        """1 on a line, 2 in the plane."""
        return len(self.frame) // 2

    @property
    def width(self) -> float:
        """The length of a cell along x."""
        return (self.frame[1] - self.frame[0]) / self.count

    @property
    def volume(self) -> float:
        """The length of a cell on a line, its area in the plane."""
        sides = zip(self.frame[::2], self.frame[1::2], strict=True)
        return float(np.prod([(high - low) / self.count for low, high in sides]))

    @property
    def centres(self) -> Array:
        """The middles of the cells, `(count ** axes, axes)`; x varies fastest."""
        steps = (np.arange(self.count) + 0.5) / self.count
        sides = [
            low + (high - low) * steps
            for low, high in zip(self.frame[::2], self.frame[1::2], strict=True)
        ]
        grid = np.meshgrid(*sides)
        return np.stack([side.ravel() for side in grid], 1)

    def masses(self, points: Array) -> Array:
        """The share of the points `(N, axes)` in each cell, `(count,)` or `(count y, count x)`."""
        ranges = list(zip(self.frame[::2], self.frame[1::2], strict=True))
        counts, _ = np.histogramdd(points, [self.count] * self.axes, ranges)
        return counts.T / len(points)

    def blur(self, masses: Array, width: float) -> Array:
        """The masses after a Gaussian of that standard deviation, at least 1/2 of a cell or 0.

        What leaves the frame is lost.
        """
        if width == 0:
            return masses
        for axis in range(self.axes):
            low, high = self.frame[2 * axis : 2 * axis + 2]
            gap = np.subtract.outer(np.arange(self.count), np.arange(self.count))
            side = (high - low) / self.count / width
            spread = side / math.sqrt(2 * math.pi) * np.exp(-((gap * side) ** 2) / 2)
            masses = np.moveaxis(np.tensordot(spread, masses, (1, -1 - axis)), 0, -1 - axis)
        return masses


def jensen_shannon(p: Array, q: Array) -> float:
    """JS between masses, in nats, 0 to log 2; what lies outside of the frame is one more cell."""
    return max(0.0, float(js(table(p), table(q), ones(p))))


def kullback_leibler(p: Array, q: Array, n: int) -> float:
    """KL(p, q) between masses, in nats, as far as n samples can tell.

    Both are mixed with one part in n of a uniform law, for n samples say nothing of what is rarer:
    where one is 0 and the other isn't the result is large, not infinite.
    """
    return max(0.0, float(kl(mixed(p, n), mixed(q, n), ones(p))))


def mixed(masses: Array, n: int) -> Tensor:
    """The logarithms of masses mixed with one part in n of a uniform law, `(cells + 1,)`."""
    uniform = -ones(masses) * math.log(masses.size + 1)
    return torch.logaddexp(table(masses) + math.log(n), uniform) - math.log(n + 1)


def table(masses: Array) -> Tensor:
    """The logarithms of masses in a row `(cells + 1,)`; last what is missing to 1."""
    outside = max(0.0, 1 - float(masses.sum()))
    row = np.append(masses.ravel(), outside if outside > 1e-9 else 0.0)
    row[row < 1e-300] = 0
    return torch.from_numpy(row / row.sum()).log()


def ones(masses: Array) -> Tensor:
    """The cells' volumes when a table is one of masses."""
    return torch.ones(masses.size + 1, dtype=torch.float64)


def least(shares: Array, n: int) -> float:
    """The least KL of a histogram of n independent samples, in nats, of 1,000 such histograms.

    `shares` `(K,)` are the true ones, from which it is taken. It is above 0 by about (K - 1)/(2n)
    on the average, and has no business to be smaller than this.
    """
    if n < 1:
        return 0.0
    drawn = np.random.default_rng(mix("least", n)).multinomial(n, shares / shares.sum(), DRAWN) / n
    ratio = np.where(drawn > 0, drawn / shares * shares.sum(), 1.0)
    return max(0.0, float((drawn * np.log(ratio)).sum(1).min()))
