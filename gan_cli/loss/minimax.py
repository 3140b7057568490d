"""The original game, as a minimax of one value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class Minimax:
    """G minimises what D maximises: E log D(x) + E log(1 - D(G(z))).

    Goodfellow et al. 2014, arXiv 1406.2661, equation 1; here D's output is the logit of D(x), so
    -log D = softplus(-logit) and -log(1 - D) = softplus(logit). At the best D the value is
    -2 log 2 + 2 JS(p, q); G's gradient vanishes where D is sure of its fakes.

    Curves: D's loss 1.386 (2 log 2) and G's -0.693 at equilibrium; the two are no mirror images,
        for D's has the real samples too. D's loss near 0 with G's near 0: D is sure and G has
        stopped learning.
    Needs: a D that is not much better than G.
    Trouble: G's gradient vanishes (grad_norm/g near 0): loss=nonsaturating, or penalty=r1.
    """

    relative: ClassVar[bool] = False
    measures: ClassVar[str] = "js"

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log D(x) - log(1 - D(G(z))), `(N,), (N,) -> (N,)`."""
        return softplus(-real) + softplus(fake)

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """log(1 - D(G(z))), `(N,) -> (N,)`."""
        return -softplus(fake)

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """D* = p/(p+q), whose logit is log p/q (Proposition 1)."""
        return log_ratio

    def distance(self, d_loss: float) -> float:
        """JS(p, q) = log 2 - d/2 at the best D; less with any other."""
        return math.log(2) - d_loss / 2
