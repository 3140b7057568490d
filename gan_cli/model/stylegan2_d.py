"""The discriminator of StyleGAN2."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, cat, nn

from gan_cli.model import Discriminator, Shape
from gan_cli.model.modulated import EqualConv, EqualLinear, Halve, lifted
from gan_cli.model.stddev import statistic
from gan_cli.model.stride import halvings


class Residual(nn.Module):
    """Two convolutions to half the size, beside a way around them; their sum over √2."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first = EqualConv(inputs, inputs, 3)
        self.second = Halve(inputs, outputs, 3)
        self.around = Halve(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W) -> (N, C', H/2, W/2)`, rounded down."""
        through = lifted(self.second(lifted(self.first(x))))
        out: Tensor = (through + self.around(x)) / math.sqrt(2)
        return out


class StyleGAN2Discriminator(Discriminator):
    """D: residual blocks down to a small map, which also hears how much its group varies."""

    def __init__(self, shape: Shape, channels: list[int], minibatch_std: int):
        super().__init__()
        halves = len(halvings(shape)) - 1
        self.image = EqualConv(shape[0], channels[0], 1)
        self.blocks = nn.Sequential(
            *(Residual(inputs, outputs) for inputs, outputs in pairwise(channels))
        )
        self.spread = nn.Sequential(*statistic(minibatch_std))
        self.width = channels[-1]
        self.mixed = EqualConv(self.width + len(self.spread), self.width, 3)
        values = self.width * (shape[1] >> halves) * (shape[2] >> halves)
        self.hidden = EqualLinear(values, self.width)
        self.last = EqualLinear(self.width, 1)

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """What the last layer gets to see, `(N, C, H, W) -> (N, width)`."""
        h: Tensor = self.blocks(lifted(self.image(x)))
        if len(self.spread):
            told = self.spread(h.flatten(1))[:, -1, None, None, None]
            h = cat([h, told.expand(-1, 1, *h.shape[2:])], 1)
        return lifted(self.hidden(lifted(self.mixed(h)).flatten(1)))

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs from features, `(N, width) -> (N,)`."""
        out: Tensor = self.last(h)
        return out.squeeze(1)
