"""Gaussians on the line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from gan_cli.dataset.density import (
    REACH,
    Frame,
    Toy,
    around,
    check_as_many,
    check_positive,
    numbers,
    probabilities,
)


@dataclass(frozen=True)
class Mixture(Toy):
    """A mixture of any Gaussians on the line: a weight, a centre and a standard deviation each.

    As it stands, 0.33 N(-1, 0.255²) + 0.67 N(2, 2): the optima that Nowozin et al. 2016, arXiv
    1606.00709, table 2, print for a Gaussian fitted to a mixture belong to this one, up to their
    rounding. Weights are relative: they are divided by their sum. Density and distribution function
    are known exactly.
    """

    weights: tuple[float, ...] = (0.33, 0.67)
    centers: tuple[float, ...] = (-1.0, 2.0)
    stds: tuple[float, ...] = (0.255, 1.4142)

    def __post_init__(self) -> None:
        for name in ("weights", "centers", "stds"):
            object.__setattr__(self, name, numbers(name, getattr(self, name)))
        check_as_many("weights", self.weights, "centers", self.centers)
        check_as_many("stds", self.stds, "centers", self.centers)
        check_positive("weights", *self.weights)
        check_positive("stds", *self.stds)

    @property
    def shape(self) -> tuple[int, ...]:
        """(1,)."""
        return (1,)

    @cached_property
    def means(self) -> Tensor:
        """The centres, `(K, 1)`."""
        return torch.tensor(self.centers)[:, None]

    @cached_property
    def std(self) -> Tensor:
        """The standard deviation of each mode, `(K,)`."""
        return torch.tensor(self.stds)

    @cached_property
    def shares(self) -> Tensor:
        """The probability of each mode, `(K,)`."""
        return probabilities(self.weights)

    @property
    def frame(self) -> Frame:
        """Four standard deviations around each mode, and a margin."""
        return around(self.means, REACH * self.std[:, None])

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Numbers `(n, 1)` on the CPU, drawn with that generator alone."""
        mode = torch.multinomial(self.shares, n, replacement=True, generator=generator)
        noise = torch.randn(n, 1, generator=generator)
        return self.means[mode] + self.std[mode, None] * noise

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density, `(N, 1) -> (N,)`."""
        return self._law(x).log_prob(x.squeeze(1))

    def cdf(self, x: Tensor) -> Tensor:
        """The probability of what is at most x, elementwise."""
        return self._law(x).cdf(x)

    def _law(self, like: Tensor) -> MixtureSameFamily:
        centers, stds = like.new_tensor(self.centers), like.new_tensor(self.stds)
        return MixtureSameFamily(Categorical(probs=self.shares.to(like)), Normal(centers, stds))
