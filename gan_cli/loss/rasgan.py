"""The relativistic average game with the logistic loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class RaSGAN:
    """D tells how much more real a sample is than the average sample of the other side.

    Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.3 (RaSGAN, often just RaGAN). Means
    are over the batch, with a gradient through them. Both terms are summed, as in the paper; the
    author's code halves the sum.

    Curves: both losses 1.386 (2 log 2) at equilibrium. D's loss near 0 and G's above 5 means that
        D has won. The level of D's outputs means nothing; the gap D/real - D/fake does.
    Needs: a batch: the mean is of this batch, so accumulate=k plays with the means of its parts,
        a slightly different game. G's step judges real samples too.
    Trouble: noisy with batches below about 16: a larger batch_size, or loss=rsgan, which needs no
        mean. No convergence by itself on narrow data: penalty=r1.
    """

    relative: ClassVar[bool] = True
    crosses: ClassVar[bool] = True

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log σ(D(x) - mean D(G(z))) - log(1 - σ(D(G(z)) - mean D(x))), `(N,), (N,) -> (N,)`."""
        return softplus(fake.mean() - real) + softplus(fake - real.mean())

    def g(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log σ(D(G(z)) - mean D(x)) - log(1 - σ(D(x) - mean D(G(z)))), `(N,), (N,) -> (N,)`."""
        return softplus(real.mean() - fake) + softplus(real - fake.mean())
