"""Orthogonal regularisation of D's weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.penalty import Seen, check_weight


@dataclass(frozen=True)
class Orthogonal:
    """β ‖(W Wᵀ) ⊙ (1 - I)‖² summed over D's layers: its filters ask for different things.

    Brock et al. 2018, arXiv 1809.11096 (BigGAN), equation 3: β = 1e-4, without the diagonal, so
    that filters are orthogonal but of any length. `diagonal=true` is their equation 2, ‖W Wᵀ -
    I‖², in which filters have length 1 too, a square in place of the absolute values of Brock et
    al. 2016, arXiv 1609.07093. W has a row for each output of a linear layer or convolution.
    BigGAN asks it of G; here it is D's, whose slope it keeps from going into one direction.

    Needs: a D with linear layers or convolutions. Looks at weights alone: every sample pays the
    same. Holds no slope: loss=wgan wants a penalty or a constraint besides.
    Trouble: a layer with more outputs than inputs can't have all its rows orthogonal, and pays
    always: weigh it against D's loss, and take a tenth of it if it is not small.
    """

    holds: ClassVar[bool] = False

    weight: float = 1e-4
    diagonal: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of D's weights, for each sample, `(N,)`; TypeError if D is no module."""
        if not isinstance(seen.D, nn.Module):
            raise TypeError("the orthogonal penalty is one on weights, and this D has none")
        paid = sum((self._of(weight) for weight in _weights(seen.D)), seen.d_real.new_zeros(()))
        return self.weight * paid.expand(len(seen.real))

    def _of(self, rows: Tensor) -> Tensor:
        identity = torch.eye(len(rows), device=rows.device, dtype=rows.dtype)
        products = rows @ rows.T
        off = products - identity if self.diagonal else products * (1 - identity)
        return off.square().sum()

    def refuses(self, D: nn.Module) -> str | None:
        """A D without a layer is refused; batch norm does no harm, as no gradient is measured."""
        if next(_weights(D), None) is None:
            return "it is a penalty on linear layers and convolutions, and D has none: penalty=r1"
        return None


def _weights(D: nn.Module) -> Iterator[Tensor]:
    """The weights of D's layers as they are used, whatever they are made from: a row an output."""
    for module in D.modules():
        if isinstance(module, nn.modules.conv._ConvTransposeNd):
            yield module.weight.transpose(0, 1).flatten(1)
        elif isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
            yield module.weight.flatten(1)
