"""A pinwheel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Normal

from gan_cli.dataset.density import REACH, Frame, Toy, around, check_at_least, check_positive

FAR = 10.0
"""The distance from which on the twist stays the same, so that it stays finite."""


@dataclass(frozen=True)
class Pinwheel(Toy):
    """Long Gaussians pointing away from 0, twisted clockwise, the more the farther out they are.

    Johnson et al. 2016, arXiv 1603.06277, with their numbers. Theirs turns a point by
    `rate` exp(a) at its place a along its blade; here a is its distance from 0, which is nearly the
    same. A turn by a function of the distance preserves areas and can be undone, so the density is
    that of Gaussians at the point turned back, exactly.
    """

    blades: int = 5
    radial_std: float = 0.3
    tangential_std: float = 0.1
    rate: float = 0.25

    def __post_init__(self) -> None:
        check_at_least(1, "blades", self.blades)
        check_positive("radial_std", self.radial_std)
        check_positive("tangential_std", self.tangential_std)
        check_positive("rate", self.rate)

    @property
    def shape(self) -> tuple[int, ...]:
        """(2,)."""
        return (2,)

    @property
    def frame(self) -> Frame:
        """A square that holds four standard deviations of every blade, and a margin."""
        radius = math.hypot(1 + REACH * self.radial_std, REACH * self.tangential_std)
        return around(torch.zeros(1, 2), radius)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points `(n, 2)` on the CPU, drawn with that generator alone."""
        blade = torch.randint(self.blades, (n,), generator=generator)
        straight = torch.randn(n, 2, generator=generator)
        straight = straight * torch.tensor([self.radial_std, self.tangential_std])
        straight[:, 0] += 1
        return _turned(straight, -self._twist(straight) - blade * (2 * math.pi / self.blades))

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density, `(N, 2) -> (N,)`."""
        angle = torch.arange(self.blades).to(x) * (2 * math.pi / self.blades)
        blade = torch.stack([angle.cos(), angle.sin()], 1)
        untwisted = _turned(x, self._twist(x))
        along = untwisted @ blade.T
        across = untwisted @ _turned(blade, torch.full_like(angle, math.pi / 2)).T
        radial = Normal(torch.ones_like(along), self.radial_std).log_prob(along)
        tangential = Normal(torch.zeros_like(across), self.tangential_std).log_prob(across)
        return (radial + tangential).logsumexp(1) - math.log(self.blades)

    def _twist(self, x: Tensor) -> Tensor:
        return self.rate * x.norm(dim=1).clamp(max=FAR).exp()


def _turned(x: Tensor, angle: Tensor) -> Tensor:
    """Points `(N, 2)` turned around 0 by angles `(N,)`."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x[:, 0] - sin * x[:, 1], sin * x[:, 0] + cos * x[:, 1]], 1)
