"""The margin loss of the spectrally normalised GANs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu


@dataclass(frozen=True)
class Hinge:
    """D stops caring once a sample is on its side of a margin of 1.

    Lim and Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, equations 16 and 17.
    At the best D the loss is 2 - 2 TV(p, q), the total variation distance.

    Curves: D's loss 2 at equilibrium, between 1 and 2 on a healthy run with spectral norm, and
        D's outputs near 0; 0 means that every sample is beyond its margin and D has stopped.
        G's loss has no level of its own: it is minus D's output.
    Needs: nothing, but it is at its best with a held D (it brings constraint=spectral).
    Trouble: D's loss at 0: constraint=spectral, or penalty=r1 with a larger gamma. Fakes alike: a
        smaller n_critic or optimizer.lr=1e-4.
    """

    relative: ClassVar[bool] = False
    measures: ClassVar[str] = "tv"

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """max(0, 1 - D(x)) + max(0, 1 + D(G(z))), `(N,), (N,) -> (N,)`."""
        return relu(1 - real) + relu(1 + fake)

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-D(G(z)), `(N,) -> (N,)`."""
        return -fake

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """+1 where p > q, -1 where p < q."""
        return log_ratio.sign()

    def distance(self, d_loss: float) -> float:
        """TV(p, q) = 1 - d/2 at the best D; less with any other."""
        return 1 - d_loss / 2
