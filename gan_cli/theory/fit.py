"""The Gaussian that fits a density best, by each divergence: what a perfect f-GAN would learn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.theory.divergence import Divergence
from gan_cli.theory.gaussian import Gaussian
from gan_cli.theory.measure import Grid, divergence

HUGE = 1e300
STARTS = 3


@dataclass(frozen=True)
class Fit:
    """The best Gaussian Q, and D_f(P‖Q) there."""

    q: Gaussian
    value: float


def fit_gaussian(f: Divergence, log_p: Tensor, grid: Grid) -> Fit:
    """Minimise D_f(P‖N(mu, sigma²)) over mu and sigma; P is a table on a line, `(M,)`.

    From the best of a coarse search over P's quantiles and scales, each followed downhill (Nelder
    and Mead 1965), as reverse KL has a minimum at every mode. Digits: about 7.
    """
    import numpy as np
    from scipy.optimize import minimize

    def at(where: Sequence[float]) -> float:
        q = Gaussian(float(where[0]), float(np.exp(where[1])))
        return min(float(divergence(f, log_p, q.log_prob(grid.x), grid.weights)), HUGE)

    starts = sorted(_coarse(log_p, grid), key=at)[:STARTS]
    options = {"xatol": 1e-8, "fatol": 1e-13, "maxiter": 2000}
    found = [minimize(at, start, method="Nelder-Mead", options=options) for start in starts]
    least = min(found, key=lambda one: one.fun)
    return Fit(Gaussian(float(least.x[0]), float(np.exp(least.x[1]))), float(least.fun))


def cross_table(fs: Sequence[Divergence], fits: Sequence[Fit], log_p: Tensor, grid: Grid) -> Tensor:
    """Row i: the fit of divergence i, judged by each; `(K, K)`, as Table 3 of f-GAN.

    Nowozin et al. 2016, arXiv 1606.00709. Every column's least stands on the diagonal.
    """
    rows = [
        [divergence(f, log_p, fit.q.log_prob(grid.x), grid.weights) for f in fs] for fit in fits
    ]
    return torch.stack([torch.stack(row) for row in rows])


def _coarse(log_p: Tensor, grid: Grid) -> list[tuple[float, float]]:
    """Means at P's quantiles, scales as shares of P's own: (mu, log sigma)."""
    p = grid.weights * log_p.exp()
    x = grid.x.squeeze(-1)
    spread = ((p * x.square()).sum() - (p * x).sum().square()).sqrt()
    shares = torch.tensor([0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95], dtype=p.dtype)
    means = x[torch.searchsorted(p.cumsum(0), shares).clamp(max=len(x) - 1)]
    scales = (spread * torch.tensor([0.15, 0.3, 0.6, 0.9, 1.1])).log()
    return list(itertools.product(means.tolist(), scales.tolist()))
