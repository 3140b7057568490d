"""A mixture of Gaussians as prior."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gan_cli.prior import check_positive
from gan_cli.randomness import generator as seeded

MOST = 4096
"""Modes, at most."""

ROOM = 1 << 24
"""Numbers in all means together, at most."""


@dataclass(frozen=True)
class Mixture:
    """z ~ Σ_k N(μ_k, std² I) / modes, with fixed means μ_k ~ U(-spread, spread)^dim.

    Ben-Yosef and Weinshall 2018, arXiv 1808.10356 (the static GM-GAN). The means are a function
    of `seed`, the number of modes and the dimension.

    Needs: nothing.
    Trouble: modes that make the same samples: further apart (a larger prior.spread), or
    auxiliary=infogan with prior=codes, which asks for a difference.
    """

    modes: int = 10
    spread: float = 1.0
    std: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.modes <= MOST:
            raise ValueError(f"modes is a number of Gaussians, 1 to {MOST}, not {self.modes}")
        check_positive("spread", self.spread)
        check_positive("std", self.std)

    def __call__(
        self,
        n: int,
        dim: int,
        device: torch.device | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Codes `(n, dim)`."""
        modes = torch.randint(self.modes, (n,), device=device, generator=generator)
        noise = torch.randn(n, dim, device=device, generator=generator)
        return _means(self, dim, device)[modes] + self.std * noise

    def means(self, dim: int) -> Tensor:
        """The centres of the modes, `(modes, dim)`, on the CPU."""
        u = torch.rand(self.modes, dim, generator=seeded("mixture", self.seed))
        return self.spread * (2 * u - 1)

    def energy(self, z: Tensor) -> Tensor:
        """-log Σ_k exp(-‖z - μ_k‖² / 2 std²), `(N, dim) -> (N,)`."""
        means = _means(self, z.shape[1], z.device)
        far = torch.cdist(z, means.to(z), compute_mode="donot_use_mm_for_euclid_dist")
        return -(-far.square() / (2 * self.std**2)).logsumexp(1)

    def fold(self, z: Tensor) -> Tensor:
        """The codes as they are: any may be."""
        return z

    def refuses(self, dim: int) -> str | None:
        """More numbers in the means than there is room for."""
        if self.modes * dim <= ROOM:
            return None
        fewer = f"prior.modes={ROOM // dim} or less"
        return f"{self.modes} means of {dim} numbers are too many: {fewer}"


@lru_cache(maxsize=8)  # a copy to a GPU would wait for it at every step
def _means(prior: Mixture, dim: int, device: torch.device | None) -> Tensor:
    return prior.means(dim).to(device)
