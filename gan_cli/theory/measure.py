"""Divergences between two densities, summed up on a grid, in float64.

P is the data, Q the model. A density is a table of its logarithm on the cells of a grid, `(M,)`,
`-inf` where there is none; results are 0-d tensors, differentiable in the tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.theory.divergence import DIVERGENCES, Divergence
from gan_cli.theory.generator import times

LogDensity = Callable[[Tensor], Tensor]
"""log p(x), `(M, d) -> (M,)`."""


@dataclass(frozen=True)
class Grid:
    """The middles of equal cells, `x` of shape `(M, d)`, and the cells' volume, `(M,)`.

    The midpoint rule: exact to rounding for densities that are smooth and fall off within the
    grid, exact too for steps that lie on the edges of cells.
    """

    x: Tensor
    weights: Tensor

    @classmethod
    def line(cls, low: float, high: float, cells: int = 20_000) -> Grid:
        """A stretch of the real line."""
        return cls.box((low,), (high,), cells)

    @classmethod
    def box(cls, low: tuple[float, ...], high: tuple[float, ...], cells: int = 400) -> Grid:
        """A box of any dimension, `cells` a side. ValueError if it is empty."""
        if (
            cells < 1
            or len(low) != len(high)
            or any(b <= a for a, b in zip(low, high, strict=True))
        ):
            raise ValueError(f"no box goes from {low} to {high} in {cells} cells a side")
        steps = [(b - a) / cells for a, b in zip(low, high, strict=True)]
        middle = torch.arange(cells, dtype=torch.float64) + 0.5
        sides = [a + step * middle for a, step in zip(low, steps, strict=True)]
        x = torch.stack(torch.meshgrid(*sides, indexing="ij"), dim=-1).reshape(-1, len(low))
        return cls(x, torch.full((len(x),), math.prod(steps), dtype=torch.float64))

    def table(self, log_density: LogDensity) -> Tensor:
        """A density's logarithm on the cells, `(M,)`. ValueError if it gives anything else."""
        values = log_density(self.x)
        if values.shape != self.weights.shape:
            raise ValueError(
                f"log_prob gives {tuple(values.shape)}, not one a point, for {tuple(self.x.shape)}"
            )
        return values.double()


def between(f: Divergence, log_p: LogDensity, log_q: LogDensity, grid: Grid) -> Tensor:
    """D_f(P‖Q) of two densities given as functions."""
    return divergence(f, grid.table(log_p), grid.table(log_q), grid.weights)


def divergence(f: Divergence, log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """D_f(P‖Q) = ∫ q f(p/q), the cells' volumes being `weights`.

    Cells without p or q count in full: the result is inf where the divergence is.
    """
    return (weights * f.integrand(log_p, log_q)).sum()


def bound(f: Divergence, v: Tensor, log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """E_P g_f(v) - E_Q f*(g_f(v)): what a D with raw outputs `v` says the divergence is, at least.

    Nowozin et al. 2016, arXiv 1606.00709, equation 6.
    """
    gain = times(log_p, f.activation(v)) - times(log_q, f.cost(v))
    return (weights * gain).sum()


def mass(log_p: Tensor, weights: Tensor) -> Tensor:
    """How much of the density lies on the grid: 1 if the grid is large enough."""
    return (weights * log_p.exp()).sum()


def kl(log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """KL(P‖Q) = E_P log p/q."""
    return divergence(DIVERGENCES["kl"], log_p, log_q, weights)


def reverse_kl(log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """KL(Q‖P) = E_Q log q/p."""
    return divergence(DIVERGENCES["reverse_kl"], log_p, log_q, weights)


def js(log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """The Jensen-Shannon divergence proper, at most log 2: half the `js` of the table."""
    return divergence(DIVERGENCES["js"], log_p, log_q, weights) / 2


def tv(log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """Total variation, ½ ∫ |p - q|, at most 1."""
    return divergence(DIVERGENCES["tv"], log_p, log_q, weights)


def overlap(log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """½ ∫ p q/(p + q): what least squares leave at the best D; ¼ where P = Q, 0 where they part."""
    return (weights * times(log_p, (log_q - log_p).sigmoid())).sum() / 2


def paired_js(log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """JS(P×Q, Q×P): how well a pair (real, fake) is told from the same pair swapped.

    log 2 less the value of the relativistic game (Jolicoeur-Martineau 2018, arXiv 1807.00734).
    """
    ratio = log_p - log_q
    return math.log(2) - pairs(lambda x, y: softplus(y - x), ratio, log_p, log_q, weights)


def pairs(
    play: Callable[[Tensor, Tensor], Tensor],
    values: Tensor,
    log_p: Tensor,
    log_q: Tensor,
    weights: Tensor,
) -> Tensor:
    """E play(values(x), values(y)) over independent x ~ P and y ~ Q; `play` is value by value.

    Takes time as the square of the grid; cells that carry less than 1e-15 are left out.
    """
    p, q = weights * log_p.exp(), weights * log_q.exp()
    there, here = p > 1e-15, q > 1e-15
    real, p = values[there], p[there]
    fake, q = values[here], q[here]
    total = torch.zeros((), dtype=values.dtype)
    for some, mass_ in zip(real.split(256), p.split(256), strict=True):
        left, right = some[:, None].expand(-1, len(fake)), fake.expand(len(some), -1)
        played = play(left.reshape(-1), right.reshape(-1)).reshape(left.shape)
        total = total + mass_ @ (played @ q)
    return total / (p.sum() * q.sum())
