"""The relativistic game, pair by pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class RSGAN:
    """D tells which of a real x and a G(z) is the real one; only differences of outputs count.

    Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.1 (RSGAN). With penalties on the slope at
    real and at fake it is the game of R3GAN (Huang et al. 2024, arXiv 2501.05441, section 2,
    there RpGAN), whose landscape Sun et al. 2020, arXiv 2011.04926, show to be without
    the bad basins of a separable loss. At the best D the value is log 2 - JS(p×q, q×p), the
    Jensen-Shannon divergence between a pair and its swap.

    Curves: both losses 0.693 (log 2) at equilibrium, and they mirror each other: D's loss near 0
        with G's large and growing means that D has won. The level of D's outputs means nothing and
        may wander; the gap D/real - D/fake is what to watch.
    Needs: pairs, so G's step judges real samples too.
    Trouble: by itself it does not converge on narrow data (Dirac-GAN), and D wins on few: give it
        penalty=[r1,r2]. The gamma of loss=r3gan is that of CIFAR-10; where D wins all the same
        (G's loss above 3), penalty=[r1,r2] penalty.r1.gamma=1 penalty.r2.gamma=1, or more.
    """

    relative: ClassVar[bool] = True

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log σ(D(x) - D(G(z))), `(N,), (N,) -> (N,)`."""
        return softplus(fake - real)

    def g(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log σ(D(G(z)) - D(x)), `(N,), (N,) -> (N,)`."""
        return softplus(real - fake)

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """log p/q, up to a constant: a pair's log odds are D(x) - D(y)."""
        return log_ratio
