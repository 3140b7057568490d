"""A segment of a vertical line in the plane."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.dataset.density import Frame, Toy, around, check_finite


@dataclass(frozen=True)
class Line(Toy):
    """(theta, u) with u uniform on [0, 1]: a segment at distance theta from the one at 0.

    Arjovsky et al. 2017, arXiv 1701.07875, example 1, where the data is the segment at 0 and the
    model another at theta: the W1 between them is |theta|, but JS is log 2 wherever theta isn't 0.
    It has no density in the plane, so there is no `log_prob`.
    """

    theta: float = 0.0

    def __post_init__(self) -> None:
        check_finite("theta", self.theta)

    @property
    def shape(self) -> tuple[int, ...]:
        """(2,)."""
        return (2,)

    @property
    def frame(self) -> Frame:
        """The segment and a margin."""
        return around(torch.tensor([[self.theta, 0.0], [self.theta, 1.0]]))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points `(n, 2)` on the CPU, drawn with that generator alone."""
        height = torch.rand(n, generator=generator)
        return torch.stack([torch.full_like(height, self.theta), height], 1)
