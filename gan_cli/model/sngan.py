"""The residual networks of spectrally normalised GANs, and self-attention in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate

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

G_SMALLEST = 6
"""G begins with a map whose shorter side is so many pixels or less, but more than half of it."""

D_SMALLEST = 8
"""D halves the image until its shorter side is so many pixels or less, and once at least."""

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

    def attended(self, shape: Shape) -> Size | None:
        """The size of the map with attention, if there is to be one."""
        sizes = d_sizes(shape)[1:]
        small = (size for size in sizes if max(size) <= ATTENDED)
        return next(small, sizes[-1]) if self.attention else None


def check_image(shape: Shape) -> None:
    """Raise ValueError unless a sample is an image that is large enough."""
    if len(shape) != 3 or min(shape[1:]) < 8:
        raise ValueError(f"sngan makes images of 8×8 or more, not {shape}: model=dcgan or mlp")


def d_sizes(shape: Shape) -> list[Size]:
    """Sizes of D's maps, from the image down."""
    size = (shape[1], shape[2])
    return ladder(size, min(D_SMALLEST, min(size) - 1))


def xavier(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """The layer with Xavier's first weights, and biases of 0."""
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def conv(channels: int, out: int, bias: bool = True) -> nn.Module:
    """A 3×3 convolution of a branch."""
    return xavier(nn.Conv2d(channels, out, 3, padding=1, bias=bias), math.sqrt(2))


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
    """A map, halved if asked: 1×1, plus a branch of two 3×3. The first block sees the image."""

    def __init__(self, channels: int, out: int, norm: Norm, first: bool = False, down: bool = True):
        super().__init__()
        inner = out if first else channels
        self.resize = nn.AvgPool2d(2, ceil_mode=True) if down else nn.Identity()
        self.first = nn.Identity() if first else hidden(norm(channels))
        self.conv = conv(channels, inner)
        self.second = hidden(norm(inner))
        self.last = conv(inner, out)
        changes = first or down or channels != out
        self.short = xavier(nn.Conv2d(channels, out, 1)) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps, halved rounding up if at all, `(N, C, H, W) -> (N, C', H', W')`."""
        h: Tensor = self.resize(self.last(self.second(self.conv(self.first(x)))))
        short: Tensor = self.short(self.resize(x))  # which commute: means are the same linear map
        return h + short


class SNGANGenerator(Generator):
    """G: a small map, doubled block by block until it is an image."""

    def __init__(self, size: SNGAN, shape: Shape, norm: Norm):
        super().__init__()
        check_image(shape)
        sizes = ladder((shape[1], shape[2]), G_SMALLEST)[::-1]
        ups = len(sizes) - 1
        outs = [size.g_width * size.growth**i for i in reversed(range(ups))]
        self.z_dim, self.base = size.z_dim, (outs[0], *sizes[0])
        self.first = xavier(nn.Linear(size.z_dim, math.prod(self.base)))
        places = zip(pairwise([outs[0], *outs]), pairwise(sizes), strict=True)
        layers: list[nn.Module] = []
        for (channels, out), (small, large) in places:
            layers += attention(channels, small, size.attended(shape))
            layers.append(UpBlock(channels, out, norm, large))
        self.layers = nn.ModuleList(layers)
        self.norm = hidden(IMAGE_NORMS[size.g_norm](outs[-1]))
        self.last = xavier(nn.Conv2d(outs[-1], shape[0], 3, padding=1))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images in [-1, 1], `(N, z_dim), (N,) -> (N, C, H, W)`."""
        x: Tensor = self.first(z).unflatten(1, self.base)
        for layer in self.layers:
            x = layer(x, c) if isinstance(layer, UpBlock) else layer(x)
        out: Tensor = self.last(self.norm(x))
        return out.tanh()


class SNGANDiscriminator(Discriminator):
    """D: the image is halved block by block; the last maps are summed over all places."""

    def __init__(self, size: SNGAN, shape: Shape):
        super().__init__()
        check_image(shape)
        norm, sizes = IMAGE_NORMS[size.d_norm], d_sizes(shape)
        channels = shape[0]
        layers: list[nn.Module] = []
        for index, small in enumerate(sizes[1:]):
            out = size.d_width * size.growth**index
            layers.append(DownBlock(channels, out, norm, first=index == 0))
            layers += attention(out, small, size.attended(shape))
            channels = out
        layers += [DownBlock(channels, channels, norm, down=False) for _ in range(2)]
        self.layers = nn.Sequential(*layers, hidden(norm(channels)))
        self.width = channels
        self.last = xavier(nn.Linear(channels, 1))

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """What the last layer gets to see, `(N, C, H, W) -> (N, width)`."""
        h: Tensor = self.layers(x)
        return h.sum((2, 3))

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs from features, `(N, width) -> (N,)`."""
        out: Tensor = self.last(h)
        return out.squeeze(1)


def attention(channels: int, here: Size, attended: Size | None) -> list[nn.Module]:
    """A layer of attention, if it is to be here."""
    return [SelfAttention(channels)] if here == attended else []
