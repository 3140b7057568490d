"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.optimizer import check_rates
from gan_cli.optimizer.light import light


@dataclass(frozen=True)
class SGD:
    """Gradient descent with optional momentum, as Algorithm 1 of Goodfellow et al. 2014 has it.

    arXiv 1406.2661; the plain dynamics that the theory of convergence speaks of.

    Needs: a rate that fits the network: gradients are taken as long as they are.

    Trouble: deep networks hardly move, or run away: `optimizer=adam`. In a game it cycles where a
    single player would settle: `dynamics=extragradient`, `optimizer=optimistic_sgd`, `penalty=r1`.
    """

    lr: float = 0.01
    d_lr: float | None = None
    momentum: float = 0.0

    def __post_init__(self) -> None:
        check_rates(self.lr, self.d_lr)
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), not {self.momentum}")

    def make(self, weights: list[Tensor], lr: float) -> torch.optim.Optimizer:
        """Gradient descent over these weights; fused into one kernel."""
        return light(torch.optim.SGD)(weights, lr=lr, momentum=self.momentum, fused=True)
