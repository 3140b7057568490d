"""What an f-divergence is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Curve = Callable[[Tensor], Tensor]
Density = Callable[[Tensor, Tensor], Tensor]
INF = math.inf


@dataclass(frozen=True)
class Divergence:
    """An f-divergence D_f(P‖Q) = ∫ q f(p/q), and its variational bound; P is the data, Q the model.

    Nowozin et al. 2016, arXiv 1606.00709. All functions go value by value, `(N,) -> (N,)`.
    """

    name: str
    formula: str
    """f(u), as text."""
    domain: tuple[float, float]
    """Between which t the conjugate is finite."""
    f: Curve
    """The generator f(u), for a ratio u = p/q ≥ 0."""
    slope: Curve
    """f'(u): the best T, in terms of the ratio."""
    conjugate: Curve
    """f*(t) = sup_u (t u - f(u))."""
    activation: Curve
    """g_f(v): increasing, from D's raw output into the domain of f*."""
    cost: Curve
    """f*(g_f(v)), in a form that neither overflows nor cancels."""
    optimum: Curve
    """The raw output of the best D, g_f(v) = f'(p/q), where log p/q is given."""
    density: Density
    """q f(p/q) from log p and log q, where not both are -inf."""

    def integrand(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        """q f(p/q), `(N,), (N,) -> (N,)`: 0 where both are 0, its limit where one of them is."""
        nowhere = (log_p == -INF) & (log_q == -INF)
        value = self.density(log_p.masked_fill(nowhere, 0), log_q.masked_fill(nowhere, 0))
        return value.masked_fill(nowhere, 0)

    @property
    def largest(self) -> float:
        """The divergence of two distributions that never meet: f(0) + lim f(u)/u, maybe inf."""
        one, none = torch.tensor([0, -INF], dtype=torch.float64)
        return float(self.integrand(one, none) + self.integrand(none, one))


def times(log_p: Tensor, r: Tensor) -> Tensor:
    """p r, which is 0 where p is, whatever r is there."""
    p = log_p.exp()
    return p * r.masked_fill(p == 0, 0)
