"""The Wasserstein game: a critic instead of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass(frozen=True)
class WGAN:
    """The critic maximises E D(x) - E D(G(z)); over 1-Lipschitz critics the best value is W1(p, q).

    Arjovsky et al. 2017, arXiv 1701.07875, equations 2 and 3 (Kantorovich and Rubinstein's
    duality). The loss alone has no bound: it needs a Lipschitz critic, by clipped weights (their
    Algorithm 1), by a penalty (Gulrajani et al. 2017, arXiv 1704.00028) or by spectral norm.
    There is no closed form of the best critic in terms of the density ratio.

    Curves: minus D's loss estimates W1(p, q) times the critic's Lipschitz constant; it jumps up
        at first, then falls towards 0 as samples get better. G's loss has no level of its own.
        An estimate that grows without end: nothing holds the critic.
    Needs: a critic that is held (loss=wgan brings constraint=clip, loss=wgan_gp penalty=gp), is
        near its best (n_critic=5), and has no momentum (RMSprop, or Adam with beta1 = 0).
    Trouble: with clipping, slow learning and all weights at the bound: loss=wgan_gp, or
        constraint=clip with constraint.bound=… changed tenfold. The estimate oscillates: a
        smaller optimizer.lr or a larger n_critic.
    """

    relative: ClassVar[bool] = False
    measures: ClassVar[str] = "w1"

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D(G(z)) - D(x), `(N,), (N,) -> (N,)`."""
        return fake - real

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-D(G(z)), `(N,) -> (N,)`."""
        return -fake

    def refuses(self, held: bool) -> str | None:
        """A critic that nothing holds is refused: it has no best value."""
        if held:
            return None
        return (
            "a critic that nothing holds can make its loss as small as it likes: "
            "constraint=clip, constraint=spectral or penalty=gp"
        )

    def distance(self, d_loss: float) -> float:
        """W1(p, q) = -d at the best 1-Lipschitz critic; k times that where the bound is k."""
        return -d_loss
