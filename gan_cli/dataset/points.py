"""Point masses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
class Points(Toy):
    """A few points, each with a probability: a law without a density, so there is no `log_prob`.

    `places=[-1,1]` are two numbers, `places=[[0,0],[1,2]]` two points of the plane, and so on in
    any dimension. `weights` are relative: they are divided by their sum. Between point masses D
    can tell everything, so this is where games are studied by hand (Mescheder et al. 2018, arXiv
    1801.04406).
    """

    places: tuple[float, ...] | tuple[tuple[float, ...], ...] = (-1.0, 1.0)
    weights: tuple[float, ...] = (0.5, 0.5)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", _places(self.places))
        object.__setattr__(self, "weights", numbers("weights", self.weights))
        check_as_many("weights", self.weights, "places", self.places)
        check_positive("weights", *self.weights)

    @property
    def shape(self) -> tuple[int, ...]:
        """(d,), the number of coordinates of a place."""
        return (self.points.shape[1],)

    @cached_property
    def points(self) -> Tensor:
        """The places, `(K, d)`."""
        return torch.tensor(self.places).reshape(len(self.places), -1)

    @property
    def shares(self) -> Tensor:
        """The probability of each place, `(K,)`."""
        return probabilities(self.weights)

    @property
    def frame(self) -> Frame:
        """What holds all places, and a margin."""
        return around(self.points)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points `(n, d)` on the CPU, drawn with that generator alone."""
        return self.points[torch.multinomial(self.shares, n, replacement=True, generator=generator)]

    def cdf(self, x: Tensor) -> Tensor:
        """The probability of what is at most x, elementwise; ValueError but on the line."""
        if self.shape != (1,):
            raise ValueError(f"points of {self.shape[0]} coordinates have no order, so no cdf")
        return ((x[..., None] >= self.points.to(x)[:, 0]) * self.shares.to(x)).sum(-1)


def _places(places: object) -> tuple[float, ...] | tuple[tuple[float, ...], ...]:
    """Numbers, or rows of equally many; ValueError for anything else."""
    if not isinstance(places, list | tuple) or not any(isinstance(p, list | tuple) for p in places):
        return numbers("places", places)
    rows = tuple(numbers("places", row) for row in places)
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            f"places must have equally many coordinates: {[list(row) for row in rows]}"
        )
    return rows
