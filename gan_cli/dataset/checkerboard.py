"""A checkerboard."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gan_cli.dataset.density import Frame, Toy, around, check_at_least, check_positive

EDGE = 1e-6
"""By how much of its size a square counts as wider, for samples that were rounded."""


@dataclass(frozen=True)
class Checkerboard(Toy):
    """The uniform law on the dark squares of a board of `side` by `side`, its middle at 0.

    As flows are shown on it (Grathwohl et al. 2019, arXiv 1810.01367, figure 2). The density is
    known exactly: a constant on the dark squares, 0 on the others.
    """

    side: int = 4
    size: float = 1.0

    def __post_init__(self) -> None:
        check_at_least(1, "side", self.side)
        check_positive("size", self.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """(2,)."""
        return (2,)

    @cached_property
    def squares(self) -> Tensor:
        """The middles of the dark squares, `(K, 2)`; the one in the lower left corner is dark."""
        line = torch.arange(self.side)
        all_squares = torch.cartesian_prod(line, line)
        dark = all_squares[all_squares.sum(1) % 2 == 0]
        return self.size * (dark - (self.side - 1) / 2)

    @property
    def frame(self) -> Frame:
        """The board and a margin."""
        return around(torch.zeros(1, 2), self.size * self.side / 2)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points `(n, 2)` on the CPU, drawn with that generator alone."""
        square = torch.randint(len(self.squares), (n,), generator=generator)
        return self.squares[square] + self.size * (torch.rand(n, 2, generator=generator) - 0.5)

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density, `(N, 2) -> (N,)`; -inf where there is nothing. Edges are dark."""
        distance = (x[:, None] - self.squares.to(x)).abs().amax(2)
        dark = (distance <= self.size * (0.5 + EDGE)).any(1).to(x)
        return dark.log() - math.log(len(self.squares) * self.size**2)
