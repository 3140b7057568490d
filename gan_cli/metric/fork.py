"""Whether answers are one of two futures, or the mean of both."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

NEAR = 0.5
"""How near a single future is: this share of the way from it to the mean of both, at most."""


class Taken(NamedTuple):
    """What answers chose, `(…, N)`: the left future or the right one, or neither.

    `apart` is how far each is from the nearest future; the mean of both is 1 away.
    """

    left: Tensor
    right: Tensor
    apart: Tensor

    @property
    def single(self) -> float:
        """The share of answers that are a single future."""
        return float((self.left | self.right).float().mean())


def taken(answer: Tensor, left: Tensor, right: Tensor) -> Taken:
    """Which of two futures each answer is, `(…, N, C, H, W), (N, C, H, W), (N, C, H, W) -> (…, N)`.

    An answer is a single future when it is at most half as far from it as the mean of both is, in
    squared distance over the pixels a quarter. Answers can have leading dimensions: several drawn
    for each input. Futures that are the same are NaN apart, and neither.
    """
    to = torch.stack([_distance(answer, future) for future in (left, right)])
    apart = to / (_distance(left, right) / 2)
    near = apart <= NEAR
    first = apart[0] <= apart[1]
    return Taken(near[0] & first, near[1] & ~first, apart.amin(0))


def both(chosen: Taken) -> float:
    """The share of inputs for which both futures were drawn, of answers `(K, N)`."""
    return float((chosen.left.any(0) & chosen.right.any(0)).float().mean())


def _distance(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).flatten(-3).norm(dim=-1)
