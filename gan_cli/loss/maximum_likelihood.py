"""The original game with the generator loss whose gradient is that of maximum likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class MaximumLikelihood:
    """D as in the minimax game; G minimises -exp(logit), the density ratio that D sees.

    Goodfellow 2016, NIPS tutorial, arXiv 1701.00160, section 3.2.4 (there times 1/2). While D is
    optimal its expected gradient is that of KL(p, q), that is, of maximum likelihood; it is
    carried by the few samples D likes most. Beyond `limit` the exponential goes on as its tangent,
    so that one sample can't throw G and nothing overflows.

    Curves: D's loss 1.386 (2 log 2) and G's -1 at equilibrium. G's loss jumps by orders of
        magnitude on a few samples: that is the variance of this loss, not a bug.
    Needs: a D that is near its best, and a small rate; hardly a choice for images.
    Trouble: G leaps or dies: optimizer.lr=5e-5, n_critic=5, loss.limit=3, or clip_grad=1. G's
        loss at 0: D has won and G has no gradient: loss=nonsaturating.
    """

    limit: float = 10.0
    relative: ClassVar[bool] = False
    measures: ClassVar[str] = "js"

    def __post_init__(self) -> None:
        if not 0 < self.limit <= 80:
            raise ValueError(f"limit is a logit above 0 and up to 80, not {self.limit}")

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log D(x) - log(1 - D(G(z))), `(N,), (N,) -> (N,)`."""
        return softplus(-real) + softplus(fake)

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-exp(logit of D(G(z))), `(N,) -> (N,)`."""
        within = fake.clamp(max=self.limit)
        return -within.exp() * (1 + fake - within)

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """D* = p/(p+q), whose logit is log p/q."""
        return log_ratio

    def distance(self, d_loss: float) -> float:
        """JS(p, q) = log 2 - d/2 at the best D; less with any other."""
        return math.log(2) - d_loss / 2
