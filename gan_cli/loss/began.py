"""Boundary equilibrium: energies kept in balance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from gan_cli.loss import refuses_all_but_energies
from gan_cli.memory import scalar


def _at_first() -> dict[str, Tensor]:
    return {"k": scalar(0.0), "M": scalar(0.0)}


@dataclass(frozen=True)
class BEGAN:
    """D reconstructs data well and fakes k times as badly as it can; k keeps the two in balance.

    Berthelot et al. 2017, arXiv 1703.10717, section 3.4. The energy E is the error of D's
    reconstruction, and D's output is -E. After each update of D, k moves by
    lambda (gamma E(x) - E(G(z))) within [0, 1], from 0 on, so that E(G(z)) tends to gamma E(x);
    the paper takes G's latest fakes for it, here it is D's, of the same G. The memory holds k and
    M = E(x) + |gamma E(x) - E(G(z))|, the paper's measure of convergence.

    Curves: M falls and levels off. k leaves 0 as soon as G is ahead, and settles inside (0, 1);
        D/fake divided by D/real tends to gamma. k at 0 for good: G never gets ahead. k at 1: D
        can't hold G back.
    Needs: a D that is an autoencoder without batch norm (it brings model=autoencoder).
    Trouble: fakes alike, its first failure on small images: a code smaller than the image
        (model.code=16 model.z_dim=16 model.g_norm=none), a k that can keep up with a short run
        (loss.step=0.05), a larger loss.gamma (the paper has 0.3 to 0.7; the diversity of fakes
        grows with it) and optimizer.lr=1e-3. G oscillates: optimizer.lr=1e-4, the paper's rate.
    """

    gamma: float = 0.5
    step: float = 0.001
    relative: ClassVar[bool] = False
    memory: dict[str, Tensor] = field(
        init=False, repr=False, compare=False, default_factory=_at_first
    )

    def __post_init__(self) -> None:
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma is a ratio of energies, above 0 and up to 1: {self.gamma}")
        if not 0 < self.step < 1:
            raise ValueError(f"step (lambda) is the rate of k, above 0 and below 1: {self.step}")

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """E(x) - k E(G(z)), where E = -D, `(N,), (N,) -> (N,)`."""
        return self.memory["k"] * fake - real

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """E(G(z)), where E = -D, `(N,) -> (N,)`."""
        return -fake

    def remember(self, d_real: Tensor, d_fake: Tensor) -> None:
        """Move k towards balance, and measure convergence, `(N,), (N,)`."""
        real, fake = -d_real.mean(), -d_fake.mean()
        lead = self.gamma * real - fake
        k = self.memory["k"].to(lead.device)
        self.memory["k"] = (k + self.step * lead).clamp(0, 1).float()
        self.memory["M"] = (real + lead.abs()).float()

    def refuses_d(self, D: nn.Module) -> str | None:
        """A D whose output is no energy is refused: its real side would have no bound."""
        return refuses_all_but_energies(D)
