"""Curves in the plane under Gaussian noise, and their density as an integral along the curve."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gan_cli.dataset.density import REACH, Frame, Toy, around

PANEL = 2.0
"""The longest piece of curve, in standard deviations, that one set of nodes stands for."""

NODES = 8
"""Gauss-Legendre nodes on each piece."""

CHUNK = 256
"""Points whose density is computed at once, to bound the memory it takes."""


class Curve(Toy):
    """A place on a curve, drawn with a density along it, plus round Gaussian noise.

    The density is p(x) = (1/K) sum_k of the integral over [0, 1] of weight(s) N(x; path_k(s), std²)
    ds, for K curves of equal weight. It is computed by Gauss-Legendre quadrature, 8 nodes for every
    2 standard deviations of curve: a mixture of very many Gaussians. Wherever log p > -40 it
    differs from the integral by 5e-6 of it at most, about as much as float32 does.
    Samples are of the integral itself.
    """

    @property
    @abstractmethod
    def std(self) -> float:
        """The standard deviation of the noise along each axis."""

    @abstractmethod
    def path(self, s: Tensor) -> Tensor:
        """The points of all K curves at places in [0, 1], `(N,) -> (N, K, 2)`."""

    def place(self, u: Tensor) -> Tensor:
        """Uniform numbers in [0, 1] as places distributed as they should be; here: as they are."""
        return u

    def weight(self, s: Tensor) -> Tensor:
        """The density of `place` on [0, 1], `(N,) -> (N,)`; here: 1."""
        return torch.ones_like(s)

    @property
    def shape(self) -> tuple[int, ...]:
        """(2,)."""
        return (2,)

    @property
    def frame(self) -> Frame:
        """Four standard deviations around the curves, and a margin."""
        return around(self._nodes[0], REACH * self.std)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points `(n, 2)` on the CPU, drawn with that generator alone."""
        points = self.path(self.place(torch.rand(n, generator=generator)))
        which = torch.randint(points.shape[1], (n,), generator=generator)
        return points[torch.arange(n), which] + self.std * torch.randn(n, 2, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density, `(N, 2) -> (N,)`, to the precision of float32."""
        nodes, log_weights = (part.to(x) for part in self._nodes)
        a, b = nodes.T

        def some(x: Tensor) -> Tensor:
            square = (x[:, :1] - a).square() + (x[:, 1:] - b).square()
            return (log_weights - square / (2 * self.std**2)).logsumexp(1)

        return torch.cat([some(part) for part in x.split(CHUNK)])

    @cached_property
    def _nodes(self) -> tuple[Tensor, Tensor]:
        """Points `(M, 2)` and log weights `(M,)` of the quadrature, float64."""
        grid = torch.linspace(0, 1, 2001, dtype=torch.float64)
        pieces = self.path(grid).diff(dim=0).norm(dim=-1).amax(1).numpy()
        length = np.concatenate([[0.0], pieces.cumsum()])
        panels = math.ceil(length[-1] / (PANEL * self.std))
        edges = np.interp(np.linspace(0, length[-1], panels + 1), length, grid.numpy())
        start, width = (torch.from_numpy(part)[:, None] for part in (edges[:-1], np.diff(edges)))
        node, weight = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(NODES))
        s = (start + width * (node + 1) / 2).flatten()
        points = self.path(s)
        weights = (width * weight / 2).flatten() * self.weight(s) / points.shape[1]
        log_weights = weights.log() - math.log(2 * math.pi * self.std**2)
        return points.flatten(0, 1), log_weights.repeat_interleave(points.shape[1])
