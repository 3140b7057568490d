"""The original game with the generator loss that does not saturate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class NonSaturating:
    """D as in the minimax game; G maximises log D(G(z)) instead.

    Goodfellow et al. 2014, arXiv 1406.2661, section 3: the same fixed point, and a strong gradient
    early on, when D rejects fakes with confidence.

    Curves: D's loss 1.386 (2 log 2) and G's 0.693 at equilibrium; a healthy run on images has D
        between 0.5 and 1.3 and G between 0.8 and 3, for long. D's near 0 with G's above 5 and
        growing: D has won. D's at 1.386 from the start: D has learnt nothing.
    Needs: nothing.
    Trouble: D wins: penalty=r1 (with optimizer=adam_r1), or optimizer.d_lr=… below G's. Fakes
        alike: penalty=r1 or loss=r3gan. D overfits few data, D/real and D/fake drift apart:
        penalty=r1 with a larger gamma.
    """

    relative: ClassVar[bool] = False
    measures: ClassVar[str] = "js"

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log D(x) - log(1 - D(G(z))), `(N,), (N,) -> (N,)`."""
        return softplus(-real) + softplus(fake)

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-log D(G(z)), `(N,) -> (N,)`."""
        return softplus(-fake)

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """D* = p/(p+q), whose logit is log p/q (Proposition 1)."""
        return log_ratio

    def distance(self, d_loss: float) -> float:
        """JS(p, q) = log 2 - d/2 at the best D; less with any other."""
        return math.log(2) - d_loss / 2
