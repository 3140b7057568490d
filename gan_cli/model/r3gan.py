"""R3GAN: a residual network without any normalisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli.model import Discriminator, Generator, Shape, check_at_least, one_hot
from gan_cli.model.resample import Size, ladder, smooth_down, smooth_up

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""What keeps the variance of a value through a leaky ReLU (He et al. 2015)."""


@dataclass(frozen=True)
class R3GAN:
    """ResNeXt blocks in G and in D, its mirror image, without norms; for images of 4×4 and more.

    Huang et al. 2024, arXiv 2501.05441, section 4 and appendix: a block is x + f(x), f a 1×1, a
    grouped 3×3 and a 1×1 convolution, biased where a leaky ReLU follows, on `expansion` times the
    channels, `group` of them in a group. First weights as in Fixup (Zhang et al. 2019, arXiv
    1901.09321): those of f's last layer 0, the others smaller the more blocks there are. Bilinear
    resampling; G begins with a learnt map (4×4 for sizes of a power of two) scaled by a linear
    function of z, D ends with its mirror image. The authors' G ends in no activation, here it is
    tanh, for images in [-1, 1]. There are no norms that labels could go into; condition.g=norm puts
    a learnt vector beside z, as long as z and at first as large.

    The image is halved (rounding up) until its shorter side is 4 or less. `width` channels stand
    next to it and twice as many after each halving, up to `widest`, with `blocks` at each size.
    """

    z_dim: int = 64
    width: int = 32
    widest: int = 128
    blocks: int = 1
    expansion: int = 2
    group: int = 16

    def __post_init__(self) -> None:
        check_at_least(1, z_dim=self.z_dim, width=self.width, blocks=self.blocks)
        check_at_least(1, expansion=self.expansion, group=self.group)
        if self.widest < self.width:
            raise ValueError(f"widest must be width={self.width} or more, not {self.widest}")

    def generator(self, shape: Shape) -> Generator:
        """G, `(N, z_dim) -> (N, C, H, W)`."""
        return R3GANGenerator(self, shape)

    def classed(self, shape: Shape, classes: int) -> Generator:
        """G that is told a label beside z, `(N, z_dim), (N,) -> (N, C, H, W)`."""
        return R3GANGenerator(self, shape, classes)

    def discriminator(self, shape: Shape) -> Discriminator:
        """D, `(N, C, H, W) -> (N,)`."""
        return R3GANDiscriminator(self, shape)

    def stages(self, shape: Shape) -> list[tuple[int, Size]]:
        """Channels and sizes of the feature maps, from the image down; ValueError for no image."""
        if len(shape) != 3 or min(shape[1:]) < 4:
            raise ValueError(f"r3gan makes images of 4×4 or more, not {shape}: model=mlp")
        sizes = ladder((shape[1], shape[2]), 4)
        return [(min(self.width * 2**i, self.widest), size) for i, size in enumerate(sizes)]

    def body(self, channels: int, stages: int) -> nn.Sequential:
        """The blocks at one of so many sizes."""
        gain = GAIN * (self.blocks * stages) ** -0.25
        wide = channels * self.expansion
        groups = wide // math.gcd(wide, self.group)
        return nn.Sequential(*(Block(channels, wide, groups, gain) for _ in range(self.blocks)))


class Block(nn.Module):
    """x + f(x), of which f is 0 at first."""

    def __init__(self, channels: int, wide: int, groups: int, gain: float):
        super().__init__()
        self.branch = nn.Sequential(
            conv(channels, wide, gain, bias=True),
            nn.LeakyReLU(SLOPE),
            conv(wide, wide, gain, kernel=3, groups=groups, bias=True),
            nn.LeakyReLU(SLOPE),
            conv(wide, channels, 0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps of the same size, `(N, C, H, W) -> (N, C, H, W)`."""
        out: Tensor = x + self.branch(x)
        return out


def scaled(layer: nn.Conv2d | nn.Linear, gain: float) -> nn.Module:
    """The layer with weights from N(0, gain² / fan-in), so that variance goes through, biases 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def conv(
    channels: int, out: int, gain: float, kernel: int = 1, groups: int = 1, bias: bool = False
) -> nn.Module:
    """A convolution that keeps the size."""
    layer = nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups, bias=bias)
    return scaled(layer, gain)


def change(channels: int, out: int) -> nn.Module:
    """A linear map of the channels, where their number changes."""
    return nn.Identity() if channels == out else conv(channels, out, 1.0)


class R3GANGenerator(Generator):
    """G: a learnt map scaled by z, doubled in size until it is an image."""

    def __init__(self, size: R3GAN, shape: Shape, classes: int = 0):
        super().__init__()
        self.z_dim = size.z_dim
        self.classes = nn.Linear(classes, size.z_dim, bias=False) if classes else None
        if self.classes is not None:
            nn.init.normal_(self.classes.weight)
        stages = size.stages(shape)[::-1]
        widths, self.sizes = zip(*stages, strict=True)
        self.basis = nn.Parameter(torch.randn(widths[0], *self.sizes[0]))
        self.scale = scaled(
            nn.Linear(size.z_dim * (2 if classes else 1), widths[0], bias=False), 1.0
        )
        before = [widths[0], *widths[:-1]]
        self.change = nn.ModuleList(map(change, before, widths))
        self.body = nn.ModuleList(size.body(width, len(stages)) for width in widths)
        self.last = conv(widths[-1], shape[0], 1.0)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images in [-1, 1], `(N, z_dim), (N,) -> (N, C, H, W)`."""
        if self.classes is not None:
            assert c is not None
            z = torch.cat([z, self.classes(one_hot(c, self.classes.in_features, z))], 1)
        x: Tensor = self.basis * self.scale(z)[:, :, None, None]
        for change, body, size in zip(self.change, self.body, self.sizes, strict=True):
            changed = change(x)
            x = body(changed if changed.shape[2:] == size else smooth_up(changed, size))
        out: Tensor = self.last(x)
        return out.tanh()


class R3GANDiscriminator(Discriminator):
    """D: the image is halved until it is a small map, of which a learnt filter is taken."""

    def __init__(self, size: R3GAN, shape: Shape):
        super().__init__()
        stages = size.stages(shape)
        widths, sizes = zip(*stages, strict=True)
        self.width = widths[-1]
        self.first = conv(shape[0], widths[0], 1.0)
        self.body = nn.ModuleList(size.body(width, len(stages)) for width in widths)
        self.change = nn.ModuleList(map(change, widths[:-1], widths[1:]))
        filters = nn.Conv2d(self.width, self.width, sizes[-1], groups=self.width, bias=False)
        self.basis = scaled(filters, 1.0)
        self.last = scaled(nn.Linear(self.width, 1, bias=False), 1.0)

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """What the last layer gets to see, `(N, C, H, W) -> (N, width)`."""
        h: Tensor = self.body[0](self.first(x))
        for change, body in zip(self.change, self.body[1:], strict=True):
            h = body(change(smooth_down(h)))
        out: Tensor = self.basis(h)
        return out.flatten(1)

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs from features, `(N, width) -> (N,)`."""
        out: Tensor = self.last(h)
        return out.squeeze(1)
