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
    """

    relative: ClassVar[bool] = False

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
