"""Constraints: what D may not be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

from torch import nn


class Constraint(Protocol):
    """A set D has to stay in, by its construction or by a projection after each step."""

    holds: ClassVar[bool]
    """Whether D's slope is bounded in it, as a loss without a minimum needs."""

    def wrap(self, D: nn.Module) -> nn.Module:
        """D, rebuilt once so that it can't leave the set."""
        ...

    def project(self, D: nn.Module) -> None:
        """Put D back into the set, in place, after a step."""
        ...

    def refuses(self, D: nn.Module) -> str | None:
        """Why the constraint can't hold for this D, and what to type instead; None if it can."""
        ...


NORMS = (
    nn.modules.batchnorm._NormBase,  # batch and instance norm
    nn.GroupNorm,
    nn.LayerNorm,
)
"""The modules that scale what goes through them to a size of its own."""


def weighted(D: nn.Module) -> Iterator[nn.Module]:
    """The modules of D with a weight of two or more dimensions."""
    for module in list(D.modules()):
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.dim() > 1:
            yield module


def zero(D: nn.Module) -> str | None:
    """Why D can't be divided by the size of its weights, where those of a layer begin at 0."""
    if any(not module.weight.any() for module in weighted(D)):  # type: ignore[operator]
        return "a layer of D begins at 0, which has no size to be divided by: constraint=free"
    return None
