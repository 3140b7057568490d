"""The relativistic average game with the margin loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu


@dataclass(frozen=True)
class RaHinge:
    """D wants real samples at least 1 above the average fake, and fakes 1 below the average real.

    Jolicoeur-Martineau 2018, arXiv 1807.00734, appendix (RaHingeGAN). Means are over the batch,
    with a gradient through them. Both terms are summed, as in the paper. Unlike in loss=hinge, G
    has a margin too: it stops caring about a fake 1 above the average real.

    Curves: both losses 2 at equilibrium; D's 0 and G's 4 or more where D has all its margins.
        D's loss at 0 for long means that D learns nothing any more, and G from a frozen D.
    Needs: a batch: the mean is of this batch, so accumulate=k plays with the means of its parts,
        a slightly different game. G's step judges real samples too.
    Trouble: D at 0: constraint=spectral or penalty=r1, which keep its gap below the margin. Noisy
        with batches below about 16: a larger batch_size.
    """

    relative: ClassVar[bool] = True
    crosses: ClassVar[bool] = True

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """max(0, 1 - (D(x) - mean D(y))) + max(0, 1 + (D(y) - mean D(x))), y = G(z).

        `(N,), (N,) -> (N,)`.
        """
        return relu(1 - (real - fake.mean())) + relu(1 + (fake - real.mean()))

    def g(self, real: Tensor, fake: Tensor) -> Tensor:
        """max(0, 1 - (D(y) - mean D(x))) + max(0, 1 + (D(x) - mean D(y))), y = G(z).

        `(N,), (N,) -> (N,)`.
        """
        return relu(1 - (fake - real.mean())) + relu(1 + (real - fake.mean()))
