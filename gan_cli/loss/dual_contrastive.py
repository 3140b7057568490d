"""The dual contrastive game: one sample against the whole other side of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class DualContrastive:
    """D picks the one real sample among the fakes of the batch, and the one fake among the real.

    Yu et al. 2021, arXiv 2103.16748, section 3: each half is a cross-entropy over N + 1 choices,
    with a sum, not a mean, over the other side. The paper states the game as the minimax of that
    one value; here G's loss is its mirror, with real and fake exchanged, which has the same fixed
    point and does not saturate where D is sure. With a batch of one it is twice loss=rsgan.

    Curves: both losses 2 log(1 + N) at equilibrium, 8.35 at batch_size=64, and they fall towards 0
        as a side wins; their level depends on the batch size, so compare only runs of the same.
        The level of D's outputs means nothing; the gap D/real - D/fake does.
    Needs: a batch: the others in it are the choices, so accumulate=k plays with those of its
        parts, an easier game. G's step judges real samples too. Memory of N² numbers.
    Trouble: D picks right at once and its loss is near 0: penalty=r1, as in the paper, or a larger
        batch_size. G collapses: a smaller batch_size makes D's task, and its gradient, softer.
    """

    relative: ClassVar[bool] = True
    crosses: ClassVar[bool] = True

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """log(1 + Σ_j exp(D(y_j) - D(x_i))) + log(1 + Σ_j exp(D(y_i) - D(x_j))), y = G(z).

        `(N,), (N,) -> (N,)`.
        """
        return _among(fake[None, :] - real[:, None]) + _among(fake[:, None] - real[None, :])

    def g(self, real: Tensor, fake: Tensor) -> Tensor:
        """log(1 + Σ_j exp(D(x_j) - D(y_i))) + log(1 + Σ_j exp(D(x_i) - D(y_j))), y = G(z).

        `(N,), (N,) -> (N,)`.
        """
        return self.d(fake, real)


def _among(gaps: Tensor) -> Tensor:
    """log(1 + Σ_j exp(gap)), `(N, M) -> (N,)`, with no exponential of a large number."""
    return torch.cat([gaps, torch.zeros_like(gaps[:, :1])], dim=1).logsumexp(1)
