"""The residual networks of spectrally normalised GANs, and self-attention in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from gan_cli.model import (
    IMAGE_NORMS,
    Discriminator,
    Generator,
    Norm,
    Shape,
    check_at_least,
    check_choice,
)
from gan_cli.model.attention import SelfAttention
from gan_cli.model.conditional_norm import conditional, hidden
from gan_cli.model.resample import Size, ladder

ATTENDED = 32
"""Attention is at the largest map of at most so many pixels a side."""


@dataclass(frozen=True)
class SNGAN:
    """Residual blocks with ReLU: batch norm in G, no norm in D, whose last maps are summed up.

    Miyato et al. 2018, arXiv 1802.05957, appendix B.4, and Miyato and Koyama 2018, arXiv
    1802.05637: D is made for constraint=spectral, and G's batch norms can hear of labels. First
    weights by Xavier's rule, uniform, with a gain of √2 in the branches and 1 elsewhere, as in the
    authors' code. With `attention`, both have a layer of self-attention at the largest map of at
    most 32×32 (Zhang et al. 2018, arXiv 1805.08318).

    G doubles a small map until it is an image of any size from 8×8: from 4×4, three times, for
    32×32 as there. D halves it until its shorter side is 8 or less, once at least, and has two
    blocks more: four in all for 32×32. `g_width` and `d_width` channels stand next to the image,
    and `growth` times as many after each halving: 1 in the paper's network for CIFAR-10, 2 in
    those for larger images.
    """

    z_dim: int = 128
    g_width: int = 64
    d_width: int = 64
    growth: int = 1
    g_norm: str = "batch"
    d_norm: str = "none"
    attention: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, z_dim=self.z_dim, g_width=self.g_width, d_width=self.d_width)
        check_at_least(1, growth=self.growth)
        check_choice("g_norm", self.g_norm, IMAGE_NORMS)
        check_choice("d_norm", self.d_norm, IMAGE_NORMS)

    def generator(self, shape: Shape) -> Generator:
        """G, `(N, z_dim) -> (N, C, H, W)`."""
        return SNGANGenerator(self, shape, IMAGE_NORMS[self.g_norm])

    def classed(self, shape: Shape, classes: int) -> Generator:
        """G that is told a label in its batch norms, `(N, z_dim), (N,) -> (N, C, H, W)`."""
        return SNGANGenerator(self, shape, conditional(self.g_norm, classes))

    def discriminator(self, shape: Shape) -> Discriminator:
        """D, `(N, C, H, W) -> (N,)`."""
        return SNGANDiscriminator(self, shape)

    def widths(self, width: int, count: int) -> list[int]:
        """Channels, from the image down."""
        return [width * self.growth**i for i in range(count)]


def check_image(shape: Shape) -> None:
    """Raise ValueError unless a sample is an image that is large enough."""
    if len(shape) != 3 or min(shape[1:]) < 8:
        raise ValueError(f"sngan makes images of 8×8 or more, not {shape}: model=dcgan or mlp")


def xavier(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """The layer with Xavier's first weights, and biases of 0."""
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def conv(channels: int, out: int, bias: bool = True) -> nn.Module:
    """A 3×3 convolution of a branch."""
    return xavier(nn.Conv2d(channels, out, 3, padding=1, bias=bias), math.sqrt(2))


def halved(x: Tensor) -> Tensor:
    """Means of 2×2, `(N, C, H, W) -> (N, C, H/2, W/2)`, rounding up."""
    return avg_pool2d(x, 2, ceil_mode=True)


class UpBlock(nn.Module):
    """A map of twice the size: the nearest value through 1×1, plus a branch of two 3×3."""

    def __init__(self, channels: int, out: int, norm: Norm, size: Size):
        super().__init__()
        bias = isinstance(norm(1), nn.Identity)
        self.size = size
        self.first = hidden(norm(channels))
        self.up = conv(channels, out, bias)
        self.second = hidden(norm(out))
        self.conv = conv(out, out, bias)
        self.short = xavier(nn.Conv2d(channels, out, 1, bias=bias))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Doubled maps, `(N, C, H, W), (N,) -> (N, C', *size)`."""
        h = self.up(doubled(self.first(x, c), self.size))
        out: Tensor = self.conv(self.second(h, c)) + doubled(self.short(x), self.size)
        return out


def doubled(x: Tensor, size: Size) -> Tensor:
    """Each value four times, `(N, C, H, W) -> (N, C, *size)`, cropped where that is odd."""
    height, width = size
    return interpolate(x, scale_factor=2, mode="nearest")[..., :height, :width]


class DownBlock(nn.Module):
    """A map, halved if asked: 1×1, plus a branch of two 3×3. The first one sees the image."""

    def __init__(self, channels: int, out: int, norm: Norm, first: bool = False, down: bool = True):
        super().__init__()
        self.image, self.down = first, down
        inner = out if first else channels
        self.first = nn.Identity() if first else hidden(norm(channels))
        self.conv = conv(channels, inner)
        self.second = hidden(norm(inner))
        self.last = conv(inner, out)
        plain = not down and channels == out
        self.short = nn.Identity() if plain else xavier(nn.Conv2d(channels, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Maps, `(N, C, H, W) -> (N, C', H', W')`."""
        h: Tensor = self.last(self.second(self.conv(self.first(x))))
        if not self.down:
            return h + self.short(x)
        short: Tensor = self.short(halved(x)) if self.image else halved(self.short(x))
        return halved(h) + short


def attends(size: SNGAN, sizes: list[Size]) -> Size | None:
    """The map with attention: the largest that is small enough."""
    small = (s for s in sorted(sizes, reverse=True) if max(s) <= ATTENDED)
    return next(small, None) if size.attention else None
