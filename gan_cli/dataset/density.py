"""What toys share: their base, mixtures of equal Gaussians, and checks of their values.

A toy is a distribution that is known exactly. Its samples are drawn on the CPU with the generator
that is given alone; `log_prob` is there where there is a density. What is concentrated on points
or lines has none, so it offers no `log_prob`, and isn't a `Density`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from gan_cli.dataset.source import Density, Distribution, Endless

Frame = tuple[tuple[float, float], ...]
"""An interval for each dimension."""

REACH = 4.0
"""Standard deviations of a Gaussian that its frame holds: 99.99 % on a line, 99.97 % in a plane."""

MARGIN = 0.2
"""Room in a frame around what it holds, as a share of its longest side."""


@runtime_checkable
class Modal(Density, Protocol):
    """A mixture of Gaussians with known places, spreads and shares."""

    @property
    def means(self) -> Tensor:
        """The centres, `(K, d)`."""
        ...

    @property
    def std(self) -> float | Tensor:
        """The standard deviation of every mode, or of each `(K,)`."""
        ...

    @property
    def shares(self) -> Tensor:
        """The probability of each mode, `(K,)`; they add up to 1."""
        ...


@runtime_checkable
class Cumulative(Distribution, Protocol):
    """A distribution on the line whose distribution function is known."""

    def cdf(self, x: Tensor) -> Tensor:
        """The probability of what is at most x, elementwise and exact."""
        ...


class Toy(ABC):
    """A distribution that is its own data set, and knows where to look for it."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: (1,) on the line, (2,) in the plane."""

    @property
    @abstractmethod
    def frame(self) -> Frame:
        """For each dimension the interval that holds practically everything, with a margin."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Samples `(n, d)` on the CPU, float32, drawn with that generator alone."""

    def load(self) -> Endless:
        """Endless samples, without labels."""
        return Endless(self)


class EqualGaussians(Toy):
    """Gaussians of equal weight and of one standard deviation, round, in any dimension."""

    std: float
    """The standard deviation along each axis; a field of the subclass."""

    @property
    @abstractmethod
    def means(self) -> Tensor:
        """The centres, `(K, d)`."""

    @property
    def shares(self) -> Tensor:
        """1 / K for each mode, `(K,)`."""
        return torch.full((len(self.means),), 1 / len(self.means))

    @property
    def shape(self) -> tuple[int, ...]:
        """(d,)."""
        return (self.means.shape[1],)

    @property
    def frame(self) -> Frame:
        """Four standard deviations around the modes, and a margin."""
        return around(self.means, REACH * self.std)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points `(n, d)` on the CPU, drawn with that generator alone."""
        mode = torch.randint(len(self.means), (n,), generator=generator)
        return self.means[mode] + self.std * torch.randn(n, *self.shape, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density, `(N, d) -> (N,)`."""
        return gaussians(self.means.to(x), self.std).log_prob(x)


def gaussians(
    means: Tensor, std: Tensor | float, log_weights: Tensor | None = None
) -> MixtureSameFamily:
    """Round Gaussians with these means `(K, d)` as one distribution; of equal weight by default."""
    weights = means.new_zeros(len(means)) if log_weights is None else log_weights.to(means)
    return MixtureSameFamily(Categorical(logits=weights), Independent(Normal(means, std), 1))


def around(places: Tensor, reach: Tensor | float = 0.0) -> Frame:
    """A frame of places `(K, d)` that reaches so far beyond each, with a margin.

    The margin is the same on all sides: a fifth of the longest, or 1 around a single place.
    """
    places = places.double()
    low, high = (places - reach).amin(0), (places + reach).amax(0)
    margin = MARGIN * float((high - low).max()) or 1.0
    pairs = zip((low - margin).tolist(), (high + margin).tolist(), strict=True)
    return tuple((float(a), float(b)) for a, b in pairs)


def probabilities(weights: tuple[float, ...]) -> Tensor:
    """Weights made to add up to 1, `(K,)`, float64."""
    shares = torch.tensor(weights, dtype=torch.float64)
    return shares / shares.sum()


def numbers(name: str, values: object) -> tuple[float, ...]:
    """The values as a tuple; ValueError unless they are a list of finite numbers, at least one."""
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"{name} is a list of numbers, such as [0.0, 1.0], not {values!r}")
    for value in values:
        check_finite(name, value)
    return tuple(float(value) for value in values)


def check_finite(name: str, value: object) -> None:
    """Raise ValueError unless the value is a number that is finite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be finite numbers, not {value!r}")


def check_positive(name: str, *values: float) -> None:
    """Raise ValueError unless all values are positive and finite."""
    for value in values:
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name} must be positive, not {value}")


def check_at_least(least: int, name: str, value: int) -> None:
    """Raise ValueError unless the value reaches the least."""
    if value < least:
        raise ValueError(f"{name} must be {least} or more, not {value}")


def check_as_many(
    name: str, values: tuple[object, ...], of: str, others: tuple[object, ...]
) -> None:
    """Raise ValueError unless there is one value for each of the others."""
    if len(values) != len(others):
        raise ValueError(
            f"{name} must be one for each of the {of}: {len(others)}, not {len(values)}"
        )
