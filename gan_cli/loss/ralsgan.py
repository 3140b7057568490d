"""The relativistic average game with least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass(frozen=True)
class RaLSGAN:
    """D wants real samples 1 above the average fake, and fakes 1 below the average real.

    Jolicoeur-Martineau 2018, arXiv 1807.00734, appendix (RaLSGAN). Means are over the batch, with
    a gradient through them. Both squares are summed, as in the paper: no factor of 1/2, unlike
    loss=lsgan.

    Curves: both losses 2 at equilibrium; D's is 0 and G's 8 where D has all real samples exactly 1
        above all fakes. G's loss far above 8 means that D's gap has grown beyond its aim.
    Needs: a batch: the mean is of this batch, so accumulate=k plays with the means of its parts,
        a slightly different game. G's step judges real samples too.
    Trouble: squares of large outputs make large gradients: clip_grad=1, or constraint=spectral.
        Noisy with batches below about 16: a larger batch_size.
    """

    relative: ClassVar[bool] = True
    crosses: ClassVar[bool] = True

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """(D(x) - mean D(G(z)) - 1)² + (D(G(z)) - mean D(x) + 1)², `(N,), (N,) -> (N,)`."""
        return (real - fake.mean() - 1).square() + (fake - real.mean() + 1).square()

    def g(self, real: Tensor, fake: Tensor) -> Tensor:
        """(D(G(z)) - mean D(x) - 1)² + (D(x) - mean D(G(z)) + 1)², `(N,), (N,) -> (N,)`."""
        return (fake - real.mean() - 1).square() + (real - fake.mean() + 1).square()
