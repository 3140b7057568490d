"""No constraint: D may be any function its network can express."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn


@dataclass(frozen=True)
class Free:
    """D is unconstrained, as in Goodfellow et al. 2014, arXiv 1406.2661.

    Needs: a loss that has a minimum without it, or a penalty.
    Trouble: D wins, its loss goes to 0, and G learns nothing: penalty=r1, or constraint=spectral.
    """

    holds: ClassVar[bool] = False

    def wrap(self, D: nn.Module) -> nn.Module:
        """D as it is."""
        return D

    def project(self, D: nn.Module) -> None:
        """Nothing to do."""

    def refuses(self, D: nn.Module) -> str | None:
        """Nothing is refused."""
        return None
