"""Exponentials that can't overflow, as a change of variable rather than a change of value."""

from __future__ import annotations

from torch import Tensor

LIMIT = 10.0
"""Where the logarithmic scale begins: at ratios of e^10, about 22,000."""


def bend(x: Tensor) -> Tensor:
    """x up to LIMIT, LIMIT + log(1 + x - LIMIT) beyond: increasing, onto R, slope continuous."""
    within = x.clamp(max=LIMIT)
    return within + (x - within).log1p()


def unbend(w: Tensor) -> Tensor:
    """The x whose `bend(x)` is w."""
    within = w.clamp(max=LIMIT)
    return within + (w - within).expm1()


def grow(x: Tensor) -> Tensor:
    """exp(bend(x)): the exponential up to LIMIT, its tangent beyond."""
    within = x.clamp(max=LIMIT)
    return within.exp() * (1 + x - within)
