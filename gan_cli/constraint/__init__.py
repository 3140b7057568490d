"""Constraints: what D may not be."""

from __future__ import annotations

from typing import Protocol

from torch import nn


class Constraint(Protocol):
    """A set D has to stay in, by its construction or by a projection after each step."""

    def wrap(self, D: nn.Module) -> nn.Module:
        """D, rebuilt once so that it can't leave the set."""
        ...

    def project(self, D: nn.Module) -> None:
        """Put D back into the set, in place, after a step."""
        ...

    def refuses(self, D: nn.Module) -> str | None:
        """Why the constraint can't hold for this D, and what to type instead; None if it can."""
        ...
