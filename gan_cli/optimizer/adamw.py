"""Adam with decoupled weight decay."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.optimizer import check_betas, check_decay, check_rates
from gan_cli.optimizer.light import light


@dataclass(frozen=True)
class AdamW:
    """Adam whose weight decay goes past the moments: w ← w − lr·(m̂/(√v̂ + ε) + weight_decay·w).

    Loshchilov and Hutter 2017, arXiv 1711.05101, Algorithm 2. Rate and betas are those of DCGAN
    (Radford et al. 2015, arXiv 1511.06434), the decay that of PyTorch.

    Needs: nothing.

    Trouble: decay pulls D's outputs towards 0 and makes it less sure of itself, G's weights too;
    samples go pale: `optimizer.weight_decay=0.0`, or `optimizer=adam`.
    """

    lr: float = 2e-4
    d_lr: float | None = None
    betas: tuple[float, float] = (0.5, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        check_rates(self.lr, self.d_lr)
        check_betas(self.betas)
        check_decay(self.weight_decay)

    def make(self, weights: list[Tensor], lr: float) -> torch.optim.Optimizer:
        """AdamW over these weights; fused into one kernel."""
        return light(torch.optim.AdamW)(
            weights,
            lr=lr,
            betas=(self.betas[0], self.betas[1]),
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,
        )
