"""Adam."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.optimizer import check_betas, check_decay, check_rates
from gan_cli.optimizer.light import light


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2014, arXiv 1412.6980) as DCGAN uses it: 2e-4, betas (0.5, 0.999).

    Radford et al. 2015, arXiv 1511.06434, section 4. A `d_lr` of its own gives D another time
    scale (TTUR, Heusel et al. 2017, arXiv 1706.08500).

    Needs: nothing. The variants are those of papers: `adam_wgan_gp`, `adam_sngan`, `adam_r1`,
    `adam_ttur`, `adam_r3gan`.

    Trouble: losses that swing ever wider want less momentum: `optimizer.betas=[0.0,0.99]`. Its
    momentum upsets a clipped critic: `optimizer=rmsprop`. Samples that jump from step to step:
    a smaller `optimizer.lr`.
    """

    lr: float = 2e-4
    d_lr: float | None = None
    betas: tuple[float, float] = (0.5, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_rates(self.lr, self.d_lr)
        check_betas(self.betas)
        check_decay(self.weight_decay)

    def make(self, weights: list[Tensor], lr: float) -> torch.optim.Optimizer:
        """Adam over these weights; fused into one kernel."""
        return light(torch.optim.Adam)(
            weights,
            lr=lr,
            betas=(self.betas[0], self.betas[1]),
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,
        )
