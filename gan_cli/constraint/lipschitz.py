"""A D that is 1-Lipschitz by construction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from gan_cli.constraint import NORMS


class MaxMin(nn.Module):
    """Sorts features two by two: 1-Lipschitz, and it takes nothing from a gradient on its way back.

    Anil et al. 2018, arXiv 1811.05381, section 4.1, GroupSort with groups of two.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The larger ones of all pairs, the smaller ones, and one left over, `(N, C) -> (N, C)`."""
        pairs = x.shape[1] // 2
        a, b, rest = x.split([pairs, pairs, x.shape[1] - 2 * pairs], dim=1)
        return torch.cat([torch.maximum(a, b), torch.minimum(a, b), rest], dim=1)


@dataclass(frozen=True)
class Lipschitz:
    """|D(x) - D(y)| ≤ ‖x - y‖ for all x and y: orthogonal layers, and MaxMin between them.

    Anil et al. 2018, arXiv 1811.05381: with weights whose singular values are all 1, and
    activations that keep the length of gradients, D can be any 1-Lipschitz function to any
    accuracy, where leaky ReLUs between such layers can't even be |x|. loss=wgan then estimates the
    Wasserstein-1 distance itself, from below. Orthogonal matrices by Cayley's map (PyTorch's
    parametrisation), in place of the paper's Björck iterations.

    Needs: a fully connected D without any normalisation (it brings model=mlp; model=mlp_toy is
    faster on points). Made for loss=wgan. A D step takes longer, with the cube of the width; in
    half precision the bound is as good as 16 bits are.
    Trouble: outputs differ by no more than samples do, so losses that want large outputs
    (nonsaturating, hinge) are bounded from below by the data's size: loss=wgan.
    """

    holds: ClassVar[bool] = True

    def wrap(self, D: nn.Module) -> nn.Module:
        """D with orthogonal layers, and MaxMin where its activations were."""
        for module in list(D.modules()):
            for name, child in list(module._modules.items()):
                if isinstance(child, _ACTIVATIONS):
                    setattr(module, name, MaxMin())
        for module in list(D.modules()):
            if isinstance(module, nn.Linear):
                orthogonal(module, orthogonal_map="cayley")
        return D

    def project(self, D: nn.Module) -> None:
        """Nothing to do: D can't leave the set."""

    def refuses(self, D: nn.Module) -> str | None:
        """Normalisations are refused, and every layer that is not known to be 1-Lipschitz."""
        for module in D.modules():
            if isinstance(module, NORMS):
                return "a normalisation scales D's slope up again: model.d_norm=none"
            bare = next(module.children(), None) is None
            owns = next(module.parameters(recurse=False), None) is not None
            if (bare or owns) and not isinstance(module, _KNOWN):
                name = type(module).__name__
                return (
                    f"D must be fully connected to be held by construction, and has a {name}: "
                    "model=mlp model.minibatch_std=0"
                )
        return None


_ACTIVATIONS = (nn.LeakyReLU, nn.ReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Tanh)
_KNOWN = (nn.Linear, nn.Identity, nn.Flatten, MaxMin, *_ACTIVATIONS)
