"""Weight normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from gan_cli.constraint import weighted, zero


@dataclass(frozen=True)
class WeightNorm:
    """Every filter of D is w = g v / ‖v‖: a direction v and a length g, learnt apart.

    Salimans and Kingma 2016, arXiv 1602.07868, equation 2, one g for each output. Their first pass
    that sets g and the biases from data, and their mean-only batch norm, are left out: g begins as
    the length that the weight has.

    Needs: nothing. It bounds no slope, as each g is free: loss=wgan wants a penalty or another
    constraint.
    Trouble: D as steep as without it: constraint=spectral.
    """

    holds: ClassVar[bool] = False

    def wrap(self, D: nn.Module) -> nn.Module:
        """D with each weight of two or more dimensions as a length and a direction."""
        for module in weighted(D):
            transposed = isinstance(module, nn.modules.conv._ConvTransposeNd)
            weight_norm(module, dim=1 if transposed else 0)
        return D

    def project(self, D: nn.Module) -> None:
        """Nothing to do: any g and v are allowed."""

    def refuses(self, D: nn.Module) -> str | None:
        """A layer of zeros has no direction; a normalisation merely does some of the same work."""
        return zero(D)
