"""One Gaussian on the line."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Normal

from gan_cli.dataset.density import REACH, Frame, Toy, around, check_finite, check_positive


@dataclass(frozen=True)
class Gaussian(Toy):
    """N(mean, std²) on the line, the data of the best known figure of Goodfellow et al. 2014.

    arXiv 1406.2661, figure 1. Density and distribution function are known exactly.
    """

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        check_finite("mean", self.mean)
        check_positive("std", self.std)

    @property
    def shape(self) -> tuple[int, ...]:
        """(1,)."""
        return (1,)

    @property
    def means(self) -> Tensor:
        """The centre, `(1, 1)`."""
        return torch.tensor([[float(self.mean)]])

    @property
    def shares(self) -> Tensor:
        """All of it is in the one mode, `(1,)`."""
        return torch.ones(1)

    @property
    def frame(self) -> Frame:
        """Four standard deviations to both sides, and a margin."""
        return around(self.means, REACH * self.std)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Numbers `(n, 1)` on the CPU, drawn with that generator alone."""
        return self.mean + self.std * torch.randn(n, 1, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density, `(N, 1) -> (N,)`."""
        return self._law(x).log_prob(x).squeeze(1)

    def cdf(self, x: Tensor) -> Tensor:
        """The probability of what is at most x, elementwise."""
        return self._law(x).cdf(x)

    def _law(self, like: Tensor) -> Normal:
        return Normal(like.new_tensor(self.mean), like.new_tensor(self.std))
