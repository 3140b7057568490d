"""The original game with smoothed labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class Smoothed:
    """D as a classifier whose target is `real` (below 1) on data and `fake` on samples.

    Salimans et al. 2016, arXiv 1606.03498, section 3.4, who smooth one side only: with `fake`
    above 0 the best D has a peak where q is large and p small, which draws G's wrong samples to
    stay. Their 0.9 is the default; Goodfellow 2016, arXiv 1701.00160, section 4.2, explains it.
    G's loss is the one that does not saturate.

    Curves: D's loss 1.376 and G's 0.799 at equilibrium (labels 0.9 and 0), where D says 0.45. D's
        loss can't fall below 0.325, the entropy of its label; there, its logit on real is 2.2.
    Needs: nothing.
    Trouble: smoothing keeps D's logits small on real samples alone; if D still wins, penalty=r1.
        `loss.fake` above 0 is there to see why the paper advises against it.
    """

    real: float = 0.9
    fake: float = 0.0
    relative: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.fake < self.real <= 1:
            raise ValueError(
                "labels are probabilities, and that of real the larger one: "
                f"real={self.real}, fake={self.fake}"
            )

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """-a log D(x) - (1 - a) log(1 - D(x)) - b log D(G(z)) - (1 - b) log(1 - D(G(z))).

        With the labels a of real and b of fake, `(N,), (N,) -> (N,)`.
        """
        return _cross_entropy(real, self.real) + _cross_entropy(fake, self.fake)

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-log D(G(z)), `(N,) -> (N,)`."""
        return softplus(-fake)

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """D* = (a p + b q)/(p + q), here its logit (section 3.4)."""
        yes = _mixed(self.real, self.fake, log_ratio)
        no = _mixed(1 - self.real, 1 - self.fake, log_ratio)
        return yes - no


def _cross_entropy(logit: Tensor, label: float) -> Tensor:
    """-label log σ - (1 - label) log(1 - σ); a share of 0 costs nothing, however sure D is."""
    yes = label * softplus(-logit) if label > 0 else torch.zeros_like(logit)
    no = (1 - label) * softplus(logit) if label < 1 else torch.zeros_like(logit)
    return yes + no


def _mixed(p_share: float, q_share: float, log_ratio: Tensor) -> Tensor:
    """log(p_share p + q_share q), up to what is the same whatever the shares: finite logs."""
    logs = [math.log(share) if share > 0 else -math.inf for share in (p_share, q_share)]
    return torch.logaddexp(log_ratio.clamp(max=0) + logs[0], (-log_ratio).clamp(max=0) + logs[1])
