"""Densities as masses of equal cells, and divergences between them at a stated resolution.

A generator is known by its samples alone. Counting them in cells and blurring the counts by a
Gaussian of width h gives the density of G(z) + h·noise, up to the noise of counting; the law of the
data is blurred alike. By the data processing inequality a divergence after blurring is at most the
one before, and it is 0 where the two agree: a lower bound that says how fine it looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

Frame = tuple[float, ...]
"""What a picture shows: (left, right) of a line, (left, right, bottom, top) of the plane."""


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
        """The masses after a Gaussian of that standard deviation; what leaves the frame is lost."""
        from scipy.ndimage import gaussian_filter

        if width == 0:
            return masses
        sigma = [
            width * self.count / (high - low)
            for low, high in zip(self.frame[::2], self.frame[1::2], strict=True)
        ]
        return gaussian_filter(masses, sigma[::-1], mode="constant")

    def at(self, field: Array, points: Array) -> Array:
        """The field's value in the cell of each point `(N, axes)`; the nearest cell outside."""
        place = []
        for axis in range(self.axes):
            low, high = self.frame[2 * axis : 2 * axis + 2]
            index = np.floor((points[:, axis] - low) / (high - low) * self.count)
            place.append(np.clip(index, 0, self.count - 1).astype(int))
        return field[tuple(place[::-1])]


def jensen_shannon(p: Array, q: Array) -> float:
    """JS between masses, in nats, 0 to log 2; what lies outside of the frame is one more cell."""
    p, q = _whole(p), _whole(q)
    middle = (p + q) / 2
    return max(0.0, (_kl(p, middle) + _kl(q, middle)) / 2)


def kullback_leibler(p: Array, q: Array, n: int) -> float:
    """KL(p, q) between masses, in nats, as far as n samples can tell.

    Both are mixed with one part in n of a uniform law, for n samples say nothing of what is rarer:
    where one is 0 and the other isn't the result is large, not infinite.
    """
    p, q = ((n * _whole(mass) + 1 / (mass.size + 1)) / (n + 1) for mass in (p, q))
    return max(0.0, _kl(p, q))


def _whole(masses: Array) -> Array:
    """The masses in a row, with what is missing to 1 behind them."""
    outside = max(0.0, 1 - float(masses.sum()))
    row = np.append(masses.ravel(), outside if outside > 1e-9 else 0.0)
    return row / row.sum()


def _kl(p: Array, q: Array) -> float:
    some = p > 1e-300
    return float((p[some] * np.log(p[some] / q[some])).sum())
