"""The original game with the generator loss that does not saturate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class NonSaturating:
    """D as in the minimax game; G maximises log D(G(z)) instead.

    Goodfellow et al. 2014, arXiv 1406.2661, section 3: the same fixed point, and a strong gradient
    early on, when D rejects fakes with confidence.
    """

    relative: ClassVar[bool] = False

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log D(x) - log(1 - D(G(z))), `(N,), (N,) -> (N,)`."""
        return softplus(-real) + softplus(fake)

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-log D(G(z)), `(N,) -> (N,)`."""
        return softplus(-fake)

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """D* = p/(p+q), whose logit is log p/q (Proposition 1)."""
        return log_ratio
