"""The energy-based game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import relu

from gan_cli.loss import refuses_all_but_energies


@dataclass(frozen=True)
class EBGAN:
    """D is an autoencoder that gives data a low energy, and fakes one of up to a margin m.

    Zhao et al. 2016, arXiv 1609.03126, equations 1 and 2. The energy E is the error of D's
    reconstruction, and D's output is -E. At the best D the value is m (1 - TV(p, q)), and m at
    equilibrium (their Theorem 1). The paper's energy is a norm over the whole image, with m = 10
    for 28×28 pixels; here it is a mean over pixels, so the default is 10/28. Their pulling-away
    term is left out: it compares codes inside D, and a loss here sees D's outputs.

    Curves: D's loss starts near m, falls as D learns to reconstruct, and returns towards m as G
        learns; -D/fake and -D/real, the energies, come together. -D/fake at m and D's loss at
        -D/real for long: D has won. Both energies at 0: m is too small to tell fakes by.
    Needs: a D that is an autoencoder (it brings model=autoencoder). Any margin has the same
        equilibrium, but one far above the energies of early fakes makes D waste itself on them.
    Trouble: fakes alike: a larger loss.margin, or loss=began, which balances the two sides. Blurry
        fakes: a smaller loss.margin, so that D cares about fine errors alone.
    """

    margin: float = 0.36
    relative: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.margin > 0:
            raise ValueError(f"margin is an energy above 0, not {self.margin}")

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """E(x) + max(0, m - E(G(z))), where E = -D, `(N,), (N,) -> (N,)`."""
        return relu(self.margin + fake) - real

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """E(G(z)), where E = -D, `(N,) -> (N,)`."""
        return -fake

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """Energy 0 where p > q, m where p < q, among energies of 0 and more (their Lemma 1)."""
        return self.margin * (log_ratio.sign() - 1) / 2

    def refuses_d(self, D: nn.Module) -> str | None:
        """A D whose output is no energy is refused: its real side would have no bound."""
        return refuses_all_but_energies(D)
