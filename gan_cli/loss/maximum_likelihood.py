"""The original game with the generator loss whose gradient is that of maximum likelihood."""

from __future__ import annotations

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
    """

    limit: float = 10.0
    relative: ClassVar[bool] = False

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
