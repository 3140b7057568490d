"""Weight clipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn


@dataclass(frozen=True)
class Clip:
    """Every parameter of D is clamped to [-bound, bound] after each of its steps.

    Arjovsky et al. 2017, arXiv 1701.07875, Algorithm 1, line 7: bound c = 0.01. The critic is then
    K-Lipschitz for some K that depends on its architecture alone; 'a clearly terrible way', in the
    authors' words, of keeping it so.

    Needs: nothing. Made for loss=wgan, with optimizer=rmsprop and several critic steps.
    Trouble: weights gather at the ends of the box, and D is nearly linear; deep critics vanish or
    explode with the bound (Gulrajani et al. 2017): loss=wgan_gp.
    """

    holds: ClassVar[bool] = True

    bound: float = 0.01

    def __post_init__(self) -> None:
        if self.bound <= 0:
            raise ValueError(f"bound must be positive, not {self.bound}")

    def wrap(self, D: nn.Module) -> nn.Module:
        """D with its first weights already inside the box."""
        self.project(D)
        return D

    @torch.no_grad()
    def project(self, D: nn.Module) -> None:
        """Clamp every parameter, in place."""
        for parameter in D.parameters():
            parameter.clamp_(-self.bound, self.bound)

    def refuses(self, D: nn.Module) -> str | None:
        """Weights that are scaled where they are used are refused; batch norm the paper clips."""
        if any(getattr(module, "scales_weights", False) for module in D.modules()):
            return (
                "D scales its weights by itself, and a box made for others leaves next to nothing "
                "of them: constraint=free penalty=gp"
            )
        return None
