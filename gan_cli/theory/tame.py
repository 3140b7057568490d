"""Exponentials that can't overflow, as a change of variable rather than a change of value."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

LIMIT = 10.0
"""Where the logarithmic scale begins: at ratios of e^10, about 22,000."""


def bend(x: Tensor) -> Tensor:
    """x up to LIMIT, LIMIT + log(1 + x - LIMIT) beyond: increasing, onto R, slope continuous."""
    return x.clamp(max=LIMIT) + relu(x - LIMIT).log1p()


def unbend(w: Tensor) -> Tensor:
    """The x whose `bend(x)` is w."""
    return w.clamp(max=LIMIT) + relu(w - LIMIT).expm1()


def grow(x: Tensor) -> Tensor:
    """exp(bend(x)): the exponential up to LIMIT, its tangent beyond."""
    return x.clamp(max=LIMIT).exp() * (1 + relu(x - LIMIT))
