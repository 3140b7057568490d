"""Balanced consistency regularisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.penalty import Seen, check_weight
from gan_cli.penalty.view import another_view, check_view


@dataclass(frozen=True)
class BalancedConsistency:
    """λ (D(T(x)) - D(x))² at real samples, and the same at generated ones, T as in penalty=cr.

    Zhao et al. 2020, arXiv 2002.04724 (bCR), Algorithm 1: λ = 10 for both. If only real samples
    must be judged alike before and after T, G may learn to make changed ones: with fakes too, it
    gains nothing. G itself does not learn from the penalty.

    Needs: data that T leaves real: penalty.bcr.mirror=true for photographs (off, as digits and
    letters may not be mirrored), a jitter well below the data's smallest detail for points. Holds
    no slope: loss=wgan wants a penalty or a constraint besides.
    Trouble: two more passes of D a step: penalty.bcr.every=4. A D that hardly learns: a tenth of
    both weights.
    """

    holds: ClassVar[bool] = False

    real: float = 10.0
    fake: float = 10.0
    shift: float = 0.125
    mirror: bool = False
    jitter: float = 0.05
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, real=self.real, fake=self.fake)
        check_view(self.shift, self.jitter)

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each pair (real, fake), `(N,)`."""
        paid = torch.zeros_like(seen.d_real)
        for weight, batch in ((self.real, seen.real), (self.fake, seen.fake)):
            view = another_view(batch.x, self.shift, self.mirror, self.jitter)
            # D is asked again rather than taken at its word: that may be of less precision
            apart = seen.D(view, batch.c) - seen.D(batch.x.detach(), batch.c)
            paid = paid + weight * apart.square()
        return paid

    def refuses(self, D: nn.Module) -> str | None:
        """Nothing is refused: no gradient is measured, so batch norm does no harm."""
        return None
