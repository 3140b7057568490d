"""The best D of a loss, and the value of the game at it, for densities that are known."""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch
from torch import Tensor

from gan_cli.theory.generator import times
from gan_cli.theory.measure import pairs


class Game(Protocol):
    """A loss whose best D is known."""

    relative: ClassVar[bool]

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss, `(N,), (N,) -> (N,)`."""
        ...

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """The output of the best D where log p/q is `log_ratio`, `(N,) -> (N,)`."""
        ...


def value(loss: Game, log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """D's loss at its best D, E d(D*(x), D*(y)) for x ~ P and y ~ Q, as a 0-d tensor.

    The densities are tables on the cells of a grid, `(M,)`, of volumes `weights`. Known values:
    2 log 2 - 2 JS (minimax), 2 - 2 TV (hinge), ½ ∫ p q/(p + q) (least squares),
    log 2 - JS(P×Q, Q×P) (relativistic), -D_f(P‖Q) (f-GAN). A loss with `relative` takes pairs,
    and time as the square of M: 2000 cells are plenty.
    """
    return value_of(loss, best(loss, log_p, log_q), log_p, log_q, weights)


def value_of(loss: Game, v: Tensor, log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    """D's loss where D's outputs on the cells are `v`, `(M,)`, whoever this D is."""
    if loss.relative:
        return pairs(loss.d, v, log_p, log_q, weights)
    # d is a function of the real output and one of the fake: each counts where its density does
    none = torch.zeros_like(v)
    real = times(log_p, loss.d(v, none)).mul(weights).sum() / (weights @ log_p.exp())
    fake = times(log_q, loss.d(none, v)).mul(weights).sum() / (weights @ log_q.exp())
    return real + fake - loss.d(none[:1], none[:1])[0]


def best(loss: Game, log_p: Tensor, log_q: Tensor) -> Tensor:
    """The best D's outputs on the cells, `(M,)`; 0 where there is neither data nor fakes."""
    nowhere = (log_p == -torch.inf) & (log_q == -torch.inf)
    ratio = log_p.masked_fill(nowhere, 0) - log_q.masked_fill(nowhere, 0)
    return loss.optimal(ratio).masked_fill(nowhere, 0)


def probability(loss: Game, v: Tensor, widest: float = 40.0) -> Tensor | None:
    """What D's raw outputs say as a probability of being real, p/(p + q); `(M,) -> (M,)`.

    The ratio for which the best D would say v, found by interpolation between log ratios of
    ±`widest`. None where the outputs stand for no ratio: for a loss that takes pairs (D is free up
    to a constant) or whose best D only takes sides (hinge, total variation).
    """
    ratio = torch.linspace(-widest, widest, 8001, dtype=torch.float64)
    said = loss.optimal(ratio)
    known = said.isfinite()
    ratio, said = ratio[known], said[known]
    increasing = said.diff() > 0
    if loss.relative or float(increasing.double().mean()) < 0.5:
        return None
    first = torch.cat([increasing.new_ones(1), increasing])  # an output that is said twice: once
    ratio, said = ratio[first], said[first]
    v = v.double().clamp(said[0], said[-1])
    right = torch.searchsorted(said, v.contiguous()).clamp(1, len(said) - 1)
    share = (v - said[right - 1]) / (said[right] - said[right - 1])
    return (ratio[right - 1] + share * (ratio[right] - ratio[right - 1])).sigmoid()
