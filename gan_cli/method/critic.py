"""What there is to a D: one number a sample or one a patch, and the heads beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_cli.condition.headed import Headed
from gan_cli.errors import UserMistake
from gan_cli.model.stddev import MinibatchStd
from gan_cli.player import Player


class Critic:
    """D as penalties see it: a network of one number a sample, patches averaged."""

    def __init__(self, D: Player):
        self._player = D
        self.patches = judges_patches(D.net)
        self.alone = judges_alone(D.net)
        self._averaged = Averaged(D.net) if self.patches else None

    @property
    def net(self) -> nn.Module:
        """D, or its mean over patches."""
        return self._averaged or self._player.net

    def both(self, x: Tensor, c: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Raw outputs `(N,)`, in float32 if not in float64, and the guesses of D's heads."""
        D = self._player.net
        assert isinstance(D, Headed)
        output, guesses = D.both(x, c)
        return output if output.dtype == torch.float64 else output.float(), guesses

    def checked(self, outputs: Tensor, n: int) -> Tensor:
        """The outputs, `(N,)` or `(N, P)`, if they are one a sample, or one a patch of each."""
        if outputs.shape != (n,) and not (self.patches and outputs.shape[:1] == (n,)):
            name, shape = type(self._player.net).__name__, tuple(outputs.shape)
            raise UserMistake(f"{name} gives {shape} for a batch of {n}, not one a sample")
        return outputs if outputs.dim() == 1 else outputs.flatten(1)


class Averaged(nn.Module):
    """The mean answer of a D that judges patches."""

    def __init__(self, D: nn.Module):
        super().__init__()
        self.D = D

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs, `(N, …), (N, …) -> (N,)`."""
        out: Tensor = self.D(x, c)
        return out.flatten(1).mean(1)


def judges_patches(D: nn.Module) -> bool:
    """Whether D gives a number for each patch of a sample."""
    return any(getattr(module, "patches", False) for module in D.modules())


def judges_alone(D: nn.Module) -> bool:
    """Whether what D says of a sample is a function of it and of D's weights, and of nothing else.

    So that samples may be judged in one batch or in several. Said only of layers that are known:
    those of torch that neither mix samples nor draw, and gan's own.
    """
    return not list(D.buffers()) and all(map(_judges_alone, D.modules()))


def _judges_alone(layer: nn.Module) -> bool:
    if isinstance(layer, MIXING) or getattr(layer, "crosses_samples", False):
        return False
    home = type(layer).__module__
    return home.startswith("gan_cli.") or home in LAYERS


MIXING = (
    *(MinibatchStd, nn.modules.dropout._DropoutNd, nn.RReLU, nn.MultiheadAttention),
    *(nn.FractionalMaxPool2d, nn.FractionalMaxPool3d),
)
"""Layers that look at other samples, or draw."""

LAYERS = frozenset(
    f"torch.nn.modules.{kind}"
    for kind in (
        *("activation", "container", "conv", "flatten", "instancenorm", "linear"),
        *("normalization", "padding", "pixelshuffle", "pooling", "sparse", "upsampling"),
    )
)
"""Where torch keeps those that don't, where they have no buffers."""
