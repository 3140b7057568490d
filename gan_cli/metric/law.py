"""The law of the data, and all that is known of it before training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from gan_cli.dataset.curve import Curve
from gan_cli.dataset.density import Cumulative
from gan_cli.dataset.source import Density, Distribution, Endless, Source
from gan_cli.metric.cells import Array, Cells, jensen_shannon
from gan_cli.randomness import generator

N = {1: 40_000, 2: 10_000}
"""Samples of G that are measured, and as many of the data beside them, by the number of axes."""

MANY = {1: 10, 2: 50}
"""How many times as many samples stand for the law itself, where it must be counted."""

CELLS = {1: 1024, 2: 512}
"""Cells along each axis in which a density is counted, by the number of axes."""

FLOOR = {1: 1e-4, 2: 3e-3}
"""What a perfect sampler may read as JS, by the number of axes: the blur grows until it does."""


@runtime_checkable
class Framed(Protocol):
    """A distribution that says where to look for it."""

    @property
    def frame(self) -> tuple[tuple[float, float], ...]:
        """For each dimension the interval that holds practically everything."""
        ...


@dataclass(frozen=True)
class Law:
    """The data as masses of cells, blurred as finely as `n` samples allow.

    The density is taken as it is known; where it is not, or is finer than the cells, samples are
    counted instead. `seed` is that of the samples G's are compared with, `size` how many of G's
    there are, None as many as a run is watched with.
    """

    data: Distribution
    seed: int
    size: int | None = None

    @property
    def n(self) -> int:
        """How many samples are measured."""
        return self.size or N[self.data.shape[0]]

    @cached_property
    def cells(self) -> Cells:
        """The cells, over the frame of every picture; square in the plane."""
        if isinstance(self.data, Framed):
            low, high = np.array(self.data.frame, dtype=np.float64).T
            half = float((high - low).max()) / 2
        else:
            points = self.draw("frame").numpy()
            low, high = points.min(0), points.max(0)
            half = 0.65 * float((high - low).max()) or 1.0
        middle = ((low + high) / 2).tolist()
        frame = tuple(side for m in middle for side in (m - half, m + half))
        return Cells(frame, CELLS[len(middle)])

    @property
    def many(self) -> int:
        """How many times as many samples stand for the law itself."""
        return MANY[self.data.shape[0]]

    @property
    def _very_many(self) -> Tensor:
        return self.draw("masses", self.many)

    def draw(self, name: str, times: int = 1) -> Tensor:
        """Samples `(times * n, d)` of the data, a function of the seed and the name."""
        return self.data.sample(times * self.n, generator("toy", self.seed, name)).double()

    @cached_property
    def counted(self) -> Array:
        """The share of very many samples in each cell."""
        return self.cells.masses(self._very_many.numpy())

    @cached_property
    def density(self) -> Array | None:
        """The mass of each cell as the density has it.

        None where it isn't known, is too fine for the cells, or is an integral itself, which takes
        longer than all the rest. It is asked for where samples fall, and a little around.
        """
        if not isinstance(self.data, Density) or isinstance(self.data, Curve):
            return None
        near = self.cells.blur(self.counted, 3 * self.cells.width) > 1e-12
        masses = np.zeros(near.shape)
        log = self.data.log_prob(torch.from_numpy(self.cells.centres[near.ravel()])).double()
        masses[near] = log.exp().numpy() * self.cells.volume
        known = np.isfinite(masses).all() and 0.95 < masses.sum() < 1.02
        return masses if known else None

    @property
    def exact(self) -> Array:
        """The mass of each cell before any blur."""
        return self.counted if self.density is None else self.density

    @property
    def drawn(self) -> Array:
        """The masses to draw: of the density, or blurred where there is none."""
        return self.masses if self.density is None else self.density

    @cached_property
    def blur(self) -> float:
        """The standard deviation of the blur: the least at which a perfect sampler reads 0."""
        width = 2 * self.cells.width
        while self._reads(width) > FLOOR[self.cells.axes]:
            width *= 1.25
        return width

    @cached_property
    def floor(self) -> float:
        """What a perfect sampler reads as JS after that blur."""
        return self._reads(self.blur)

    @cached_property
    def masses(self) -> Array:
        """The mass of each cell after the blur."""
        return self._blurred(self.blur)

    @cached_property
    def quantiles(self) -> Tensor | None:
        """On a line, the quantiles (i + 1/2)/n, `(n,)`; None in the plane."""
        if self.cells.axes > 1:
            return None
        if not isinstance(self.data, Cumulative):
            return self._very_many.flatten().sort().values[self.many // 2 :: self.many]
        low, high = self.cells.frame
        x = torch.linspace(2 * low - high, 2 * high - low, 1 << 17, dtype=torch.float64)
        shares = (np.arange(self.n) + 0.5) / self.n
        return torch.from_numpy(np.interp(shares, self.data.cdf(x).numpy(), x.numpy()))

    def count(self, x: Tensor) -> Array:
        """The blurred masses of samples `(N, d)`."""
        return self.cells.blur(self.cells.masses(x.double().numpy()), self.blur)

    def _blurred(self, width: float) -> Array:
        # counting in cells is a blur too, by a box; the exact masses get it as part of the Gaussian
        return self.cells.blur(self.exact, float(np.hypot(width, self.cells.width / 12**0.5)))

    def _reads(self, width: float) -> float:
        sampled = self.cells.blur(self.cells.masses(self.draw("fresh").numpy()), width)
        return jensen_shannon(self._blurred(width), sampled)


def flat(shape: tuple[int, ...]) -> bool:
    """Whether samples of that shape lie on a line or in the plane, where densities are counted."""
    return shape in ((1,), (2,))


def lawful(source: Source) -> Distribution | None:
    """The distribution behind a source, where it can be measured: on a line or in the plane."""
    return source.density if isinstance(source, Endless) and flat(source.shape) else None
