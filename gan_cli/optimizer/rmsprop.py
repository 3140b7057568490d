"""RMSprop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.optimizer import check_rates
from gan_cli.optimizer.light import light


@dataclass(frozen=True)
class RMSprop:
    """RMSprop (Tieleman and Hinton 2012) as WGAN uses it: 5e-5.

    Arjovsky et al. 2017, arXiv 1701.07875, Algorithm 1: a momentum-based optimiser such as Adam
    made their clipped critic unstable.

    Needs: nothing.

    Trouble: 5e-5 is slow away from a clipped critic: `optimizer.lr=2e-4`, or `optimizer=adam`.
    """

    lr: float = 5e-5
    d_lr: float | None = None
    alpha: float = 0.99
    eps: float = 1e-8

    def __post_init__(self) -> None:
        check_rates(self.lr, self.d_lr)
        if not 0 <= self.alpha < 1:
            raise ValueError(f"alpha is a decay rate in [0, 1), not {self.alpha}")

    def make(self, weights: list[Tensor], lr: float) -> torch.optim.Optimizer:
        """RMSprop over these weights, all of them in one call."""
        return light(torch.optim.RMSprop)(
            weights, lr=lr, alpha=self.alpha, eps=self.eps, foreach=True
        )
