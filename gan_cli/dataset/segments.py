"""Uniform laws on intervals."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.dataset.density import (
    Frame,
    Toy,
    around,
    check_as_many,
    check_positive,
    numbers,
    probabilities,
)


@dataclass(frozen=True)
class Segments(Toy):
    """A mixture of uniform laws on intervals of the line, which may be apart, touch or overlap.

    Two sets of segments that don't meet are the plainest supports at a distance, where JS is log 2
    however far they are apart (Arjovsky et al. 2017, arXiv 1701.07875, section 2). `weights` are
    relative: they are divided by their sum. Density and distribution function are known exactly.
    """

    lows: tuple[float, ...] = (-2.0, 1.0)
    highs: tuple[float, ...] = (-1.0, 2.0)
    weights: tuple[float, ...] = (0.5, 0.5)

    def __post_init__(self) -> None:
        for name in ("lows", "highs", "weights"):
            object.__setattr__(self, name, numbers(name, getattr(self, name)))
        check_as_many("highs", self.highs, "lows", self.lows)
        check_as_many("weights", self.weights, "lows", self.lows)
        check_positive("weights", *self.weights)
        for low, high in zip(self.lows, self.highs, strict=True):
            if not low < high:
                raise ValueError(f"highs must be above the lows: {high} is not above {low}")

    @property
    def shape(self) -> tuple[int, ...]:
        """(1,)."""
        return (1,)

    @property
    def shares(self) -> Tensor:
        """The probability of each interval, `(K,)`."""
        return probabilities(self.weights)

    @property
    def frame(self) -> Frame:
        """From the lowest end to the highest, and a margin."""
        return around(torch.tensor([*self.lows, *self.highs])[:, None])

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Numbers `(n, 1)` on the CPU, drawn with that generator alone."""
        segment = torch.multinomial(self.shares, n, replacement=True, generator=generator)
        low, high = torch.tensor(self.lows)[segment], torch.tensor(self.highs)[segment]
        return torch.lerp(low, high, torch.rand(n, generator=generator))[:, None]

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density, `(N, 1) -> (N,)`; -inf where there is nothing. Ends count."""
        low, high, weight = self._rows(x)
        return (((x >= low) & (x <= high)) * weight / (high - low)).sum(1).log()

    def cdf(self, x: Tensor) -> Tensor:
        """The probability of what is at most x, elementwise."""
        low, high, weight = self._rows(x)
        return (((x[..., None] - low) / (high - low)).clamp(0, 1) * weight).sum(-1)

    def _rows(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x.new_tensor(self.lows), x.new_tensor(self.highs), self.shares.to(x)
