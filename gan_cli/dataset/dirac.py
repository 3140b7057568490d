"""One point."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.dataset.density import Frame, Toy, around, check_finite


@dataclass(frozen=True)
class Dirac(Toy):
    """One number, with certainty: the data of the Dirac-GAN (Mescheder et al. 2018).

    arXiv 1801.04406, definition 2.1, where it is 0. There is no density, so there is no `log_prob`.
    """

    place: float = 0.0

    def __post_init__(self) -> None:
        check_finite("place", self.place)

    @property
    def shape(self) -> tuple[int, ...]:
        """(1,)."""
        return (1,)

    @property
    def frame(self) -> Frame:
        """1 to both sides."""
        return around(torch.tensor([[float(self.place)]]))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """The number n times, `(n, 1)`, on the CPU; nothing is drawn."""
        return torch.full((n, 1), float(self.place))

    def cdf(self, x: Tensor) -> Tensor:
        """The probability of what is at most x, elementwise: 0 or 1."""
        return (x >= self.place).to(x)
