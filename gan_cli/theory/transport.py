"""What it costs to carry one distribution into another: Wasserstein distances.

Between samples `(N, d)` and `(M, d)`, every sample of the same weight, or between densities on a
line. In more than one dimension with POT (Flamary et al. 2021, JMLR 22, "POT: Python Optimal
Transport").
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from gan_cli.theory.measure import Grid


def w1_line(x: Tensor, y: Tensor) -> float:
    """W1 of samples on the line, `(N,)` or `(N, 1)`: the area between their distribution functions.

    Exact, for any two numbers of samples. ValueError where there is none.
    """
    x, y = _column(x), _column(y)
    at = torch.cat([x, y]).sort().values
    below = at[:-1].contiguous()
    F = torch.searchsorted(x, below, right=True).double() / len(x)
    G = torch.searchsorted(y, below, right=True).double() / len(y)
    return float(((F - G).abs() * at.diff()).sum())


def w1_densities(log_p: Tensor, log_q: Tensor, grid: Grid) -> float:
    """W1 of densities on a line, ∫ |F - G|, from tables on the grid, `(M,)`.

    ValueError on a grid that is no line.
    """
    if grid.x.shape[1] != 1:
        raise ValueError(f"distribution functions need a line, not {grid.x.shape[1]} dimensions")
    step = grid.weights[0]
    gap = torch.cat([torch.zeros(1), (step * (log_p.exp() - log_q.exp())).cumsum(0)]).abs()
    return float(step * (gap[1:] + gap[:-1]).sum() / 2)


def wasserstein(x: Tensor, y: Tensor, order: int = 1) -> float:
    """W1 or W2 of samples, exactly: a linear programme, up to some thousands of samples.

    For the Euclidean distance; W2 is the root of the least mean square. ValueError for another
    order, for samples that don't fit each other, or if the programme is not solved.
    """
    import ot

    a, b = _cloud(x, y)
    costs = ot.dist(a, b, metric=_metric(order))
    cost, log = ot.emd2([], [], costs, numItermax=10_000_000, log=True)
    if log["warning"] is not None:
        raise ValueError(f"the transport between {len(a)} and {len(b)} samples was not solved")
    return float(max(cost, 0.0) ** (1 / order))


def sliced(x: Tensor, y: Tensor, order: int = 2, projections: int = 200, seed: int = 0) -> float:
    """Sliced W: over directions drawn from `seed`, the mean (of the order-th powers) of W1 or W2.

    Bonneel et al. 2015, Journal of Mathematical Imaging and Vision 51. ValueError for another
    order, or samples that don't fit each other.
    """
    import ot

    _metric(order)
    a, b = _cloud(x, y)
    return float(ot.sliced_wasserstein_distance(a, b, None, None, projections, p=order, seed=seed))


def _metric(order: int) -> str:
    metrics = {1: "euclidean", 2: "sqeuclidean"}
    if order not in metrics:
        raise ValueError(f"order is 1 or 2, not {order}")
    return metrics[order]


def _column(x: Tensor) -> Tensor:
    if x.numel() != len(x) or not len(x):
        raise ValueError(f"samples on the line are (N,) or (N, 1), not {tuple(x.shape)}")
    return x.detach().double().reshape(-1).sort().values


def _cloud(x: Tensor, y: Tensor) -> tuple[Any, Any]:
    """Two clouds of points, `(N, d)` and `(M, d)`, as arrays of numpy."""
    x, y = (s.detach().cpu().double().reshape(len(s), math.prod(s.shape[1:])) for s in (x, y))
    if x.shape[1] != y.shape[1] or not (len(x) and len(y)):
        raise ValueError(f"no transport between {tuple(x.shape)} and {tuple(y.shape)}")
    return x.numpy(), y.numpy()
