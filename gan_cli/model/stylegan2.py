"""StyleGAN2: a generator that is told its style layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan_cli import dist
from gan_cli.model import Discriminator, Generator, Shape, check_at_least, one_hot
from gan_cli.model.modulated import EqualLinear, StyledConv, ToImage, lifted, unit
from gan_cli.model.stddev import statistic
from gan_cli.model.stride import halvings
from gan_cli.model.stylegan2_d import StyleGAN2Discriminator


@dataclass(frozen=True)
class StyleGAN2:
    """A mapping network from z to styles w, and a synthesis network that they modulate.

    Karras et al. 2019, arXiv 1912.04958, configuration F without its path-length penalty (that is
    term=path_length) and R1 (penalty=r1): modulated convolutions, noise, an image that is the sum
    of those of all sizes, a residual D with the filter 1-3-3-1 in both, equal learning rates, and
    `mixing`, the share of training samples whose styles are of two codes from a random layer on
    (Karras et al. 2018, arXiv 1812.04948, section 3.1), the second that of a neighbour in the
    batch. Labels join z before the mapping network, as in the authors' code.

    For images of any size from 4×4: they begin with a learned constant of their own proportions
    and are doubled, and cropped where halving had rounded up. `width` is the number of channels
    next to the image, which doubles with each halving up to `most`; `depth` that of the mapping
    network's layers. The authors' G ends in no activation, here it is tanh, for images in
    [-1, 1]. With auxiliary=infogan, mixing=0.
    """

    labels_join_z: ClassVar[bool] = True

    z_dim: int = 64
    w_dim: int = 64
    depth: int = 4
    width: int = 16
    most: int = 256
    mixing: float = 0.9
    minibatch_std: int = 4

    def __post_init__(self) -> None:
        sizes = {"z_dim": self.z_dim, "w_dim": self.w_dim, "depth": self.depth}
        check_at_least(1, **sizes, width=self.width, most=self.most)
        if not 0 <= self.mixing <= 1:
            raise ValueError(f"mixing is a share from 0 to 1, not {self.mixing}")
        statistic(self.minibatch_std)

    def generator(self, shape: Shape) -> Generator:
        """G, `(N, z_dim) -> (N, C, H, W)`."""
        return StyleGAN2Generator(self, shape)

    def classed(self, shape: Shape, classes: int) -> Generator:
        """G that is told labels in its mapping network, `(N, z_dim), (N,) -> (N, C, H, W)`."""
        return StyleGAN2Generator(self, shape, classes)

    def discriminator(self, shape: Shape) -> Discriminator:
        """D, `(N, C, H, W) -> (N,)`."""
        return StyleGAN2Discriminator(shape, self.channels(shape), self.minibatch_std)

    def channels(self, shape: Shape) -> list[int]:
        """The channels of the maps of each size, from the image down; ValueError if it is none."""
        if len(shape) != 3:
            raise ValueError(
                f"stylegan2 draws images, and a sample here has shape {shape}: model=mlp"
            )
        _, height, width = shape
        if min(height, width) < 4:
            raise ValueError(
                f"stylegan2 needs images of 4×4 or more, not {height}×{width}: model=mlp"
            )
        return [min(self.width * 2**i, self.most) for i in range(len(halvings(shape)))]


class StyleGAN2Generator(Generator):
    """G = g ∘ f: the mapping network f, then the synthesis network g.

    Samples in evaluation mode are a function of z and c alone. `psi` below 1 then pulls their
    styles towards the mean of all: fewer odd samples, and less variety (the truncation trick of
    Karras et al. 2018, arXiv 1812.04948, appendix B).
    """

    w_avg: Tensor

    def __init__(self, size: StyleGAN2, shape: Shape, classes: int = 0):
        super().__init__()
        self.z_dim, self.mixing, self.psi = size.z_dim, size.mixing, 1.0
        self.f = Mapping(size, classes)
        self.synthesis = Synthesis(size, shape)
        self.register_buffer("w_avg", torch.zeros(size.w_dim))

    def mapping(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """The style of each layer, `(N, z_dim), (N,) -> (N, layers, w_dim)`.

        Mixed in training mode, in evaluation mode w_avg + psi (w - w_avg).
        """
        w: Tensor = self.f(z, c)
        if self.training:
            with torch.no_grad():
                self.w_avg.lerp_(w.mean(0).to(self.w_avg.dtype), AVG)
            return self.mixed(w, self.f(dist.rows(dist.whole(z).roll(1, 0)), c))
        if self.psi != 1:
            w = self.w_avg + self.psi * (w - self.w_avg)
        return w[:, None].expand(-1, self.synthesis.layers, -1)

    def mixed(self, w: Tensor, other: Tensor) -> Tensor:
        """Styles of w up to a random layer and of the other from there on, in a share of samples.

        `(N, w_dim), (N, w_dim) -> (N, layers, w_dim)`.
        """
        n, layers = len(w), self.synthesis.layers
        cut = dist.own(lambda k: torch.randint(1, layers, (k, 1), device=w.device), n)
        mixed = dist.own(lambda k: torch.rand(k, 1, device=w.device), n) < self.mixing
        cut = torch.where(mixed, cut, layers)
        own = torch.arange(layers, device=w.device) < cut
        return torch.where(own[:, :, None], w[:, None], other[:, None])

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images in [-1, 1], `(N, z_dim), (N,) -> (N, C, H, W)`."""
        out: Tensor = self.synthesis(self.mapping(z, c))
        return out


AVG = 0.005
"""How far the mean style moves towards that of a batch, as in the authors' code."""

PACE = 0.01
"""The mapping network's share of the learning rate."""


class Mapping(nn.Module):
    """f: from a code on the sphere, and a label beside it, to a style."""

    def __init__(self, size: StyleGAN2, classes: int):
        super().__init__()
        self.classes = classes
        self.embedding = EqualLinear(classes, size.w_dim) if classes else None
        first = size.z_dim + (size.w_dim if classes else 0)
        widths = [first, *[size.w_dim] * (size.depth - 1)]
        self.layers = nn.ModuleList(EqualLinear(w, size.w_dim, pace=PACE) for w in widths)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Styles, `(N, z_dim), (N,) -> (N, w_dim)`."""
        x = unit(z)
        if self.embedding is not None:
            assert c is not None
            x = torch.cat([x, unit(self.embedding(one_hot(c, self.classes, z)))], 1)
        for layer in self.layers:
            x = lifted(layer(x))
        return x


class Synthesis(nn.Module):
    """g: from the styles of the layers to an image.

    One convolution on the learned constant, two at each larger size, and at each size an image,
    added to the one of the size before, doubled.
    """

    def __init__(self, size: StyleGAN2, shape: Shape):
        super().__init__()
        channels = size.channels(shape)[::-1]
        self.sizes = halvings(shape)[::-1]
        self.layers = 2 * len(self.sizes)
        self.constant = nn.Parameter(torch.randn(1, channels[0], *self.sizes[0]))
        w_dim, before = size.w_dim, channels[0]
        self.convs, self.images = nn.ModuleList(), nn.ModuleList()
        for index, (out, place) in enumerate(zip(channels, self.sizes, strict=True)):
            if index:
                self.convs.append(StyledConv(before, out, w_dim, place, double=True))
            self.convs.append(StyledConv(out, out, w_dim, place))
            self.images.append(ToImage(out, shape[0], w_dim))
            before = out

    def forward(self, w: Tensor) -> Tensor:
        """Images in [-1, 1], `(N, layers, w_dim) -> (N, C, H, W)`."""
        x = self.convs[0](self.constant.expand(w.shape[0], -1, -1, -1), w[:, 0])
        image: Tensor = self.images[0](x, w[:, 1])
        for i, to_image in enumerate(self.images[1:], 1):
            x = self.convs[2 * i - 1](x, w[:, 2 * i - 1])
            x = self.convs[2 * i](x, w[:, 2 * i])
            image = doubled(image, self.sizes[i]) + to_image(x, w[:, 2 * i + 1])
        return image.tanh()


def doubled(image: Tensor, size: tuple[int, int]) -> Tensor:
    """An image of twice the size, cropped; bilinear, which is the filter 1-3-3-1."""
    twice = interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)
    return twice[..., : size[0], : size[1]]
