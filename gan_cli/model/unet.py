"""Images from images: the U-Net of pix2pix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, interpolate, pad

from gan_cli import dist
from gan_cli.model import IMAGE_NORMS, Discriminator, Generator, Shape, check_at_least, check_choice
from gan_cli.model.convolution import ConvDown, ConvUp, ToImage
from gan_cli.model.patchwise import PatchDiscriminator, init


@dataclass(frozen=True)
class UNet:
    """G halves the given image to a few pixels and doubles it again, each size beside its own.

    Isola et al. 2016, arXiv 1611.07004, section 3.2.1 and appendix 6.1.1: convolutions with
    kernels of 4 and stride 2, leaky ReLU down and ReLU up, no norm at the image nor at the smallest
    map, tanh at the end, first weights from N(0, 0.02). A given image of another size is resized
    first. Where the paper has `dropout` as its only noise (0.5 in the three smallest maps on the
    way up; 0 here), z stands as planes beside the image and beside the smallest map, as in Zhu et
    al. 2017, arXiv 1711.11586 (BicycleGAN, section 3.5): one image can then have several answers.

    The image is halved (rounding up) until its shorter side is 2 or less. `width` is the number of
    channels next to it, which doubles with each halving, up to eight times. D judges patches, as
    discriminator=patch; `layers` are its convolutions of stride 2.
    """

    z_dim: int = 8
    width: int = 64
    dropout: float = 0.0
    layers: int = 3
    g_norm: str = "batch"
    d_norm: str = "batch"

    def __post_init__(self) -> None:
        check_at_least(1, z_dim=self.z_dim, width=self.width)
        check_at_least(0, layers=self.layers)
        check_choice("g_norm", self.g_norm, IMAGE_NORMS)
        check_choice("d_norm", self.d_norm, IMAGE_NORMS)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is a share from 0 to below 1, not {self.dropout}")

    def generator(self, shape: Shape) -> Generator:
        """There is none without an image to begin with: ValueError."""
        raise ValueError(
            "unet makes images from images, and none is given: "
            "task=superres (or inpaint, …), or model=dcgan"
        )

    def translator(self, shape: Shape, given: Shape) -> Generator:
        """G, `(N, z_dim), (N, *given) -> (N, *shape)`; ValueError where either is no image."""
        for one in (shape, given):
            if len(one) != 3:
                raise ValueError(f"unet makes images from images, and {one} is none: model=mlp")
        if min(shape[1:]) < 4:
            raise ValueError(f"unet makes images of 4×4 or more, not {shape[1]}×{shape[2]}")
        return UNetGenerator(self, shape, given[0])

    def discriminator(self, shape: Shape) -> Discriminator:
        """D, `(N, C, H, W) -> (N, P)`; ValueError when there are no patches."""
        return PatchDiscriminator(shape, self.width, self.layers, self.d_norm)


def halved(shape: Shape) -> list[tuple[int, int]]:
    """Heights and widths, halved (rounding up) until the shorter side is 2 or less."""
    sizes = [(shape[1], shape[2])]
    while min(sizes[-1]) > 2:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


class UNetGenerator(Generator):
    """G: down to a few pixels and up again, with what was seen on the way down beside it."""

    def __init__(self, size: UNet, shape: Shape, channels: int):
        super().__init__()
        self.z_dim, self.sizes = size.z_dim, halved(shape)
        halves = len(self.sizes) - 1
        widths = [size.width * min(2**i, 8) for i in range(halves)]
        norm = IMAGE_NORMS[size.g_norm]
        bias = isinstance(norm(1), nn.Identity)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = channels + size.z_dim
        for index, out in enumerate(widths):
            plain = index in (0, halves - 1)
            conv = ConvDown(before, out, bias or plain)
            made = nn.Identity() if plain else norm(out)
            self.down.append(nn.Sequential(conv, made, nn.LeakyReLU(0.2)))
            before = out
        before += size.z_dim
        for index in range(halves - 1, -1, -1):
            out = widths[index - 1] if index else shape[0]
            layers = [(ConvUp if index else ToImage)(before, out, bias or not index)]
            drop = size.dropout if halves - 1 - index < 3 else 0.0
            more = [norm(out), Dropout(drop), nn.ReLU()] if index else [nn.Tanh()]
            self.up.append(nn.Sequential(*layers, *more))
            before = 2 * out
        self.apply(init)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images in [-1, 1], `(N, z_dim), (N, C', h, w) -> (N, C, H, W)`."""
        assert c is not None
        x = beside(resized(c, self.sizes[0]), z)
        seen: list[Tensor] = []
        for down in self.down:
            x = down(even(x))
            seen.append(x)
        x = beside(seen.pop(), z)
        for up, (height, width) in zip(self.up, self.sizes[-2::-1], strict=True):
            x = up(x)[..., :height, :width]
            if seen:
                x = torch.cat([x, seen.pop()], 1)
        return x


class Dropout(nn.Dropout):
    """Dropout, each sample by draws of its own on whatever rank it is."""

    def forward(self, x: Tensor) -> Tensor:
        """Some numbers 0 and the others larger, `(N, …) -> (N, …)`."""
        if dist.size() == 1 or not self.training:
            return super().forward(x)
        return x * dist.own_like(lambda like: dropout(torch.ones_like(like), self.p), x)


def even(x: Tensor) -> Tensor:
    """Maps with their last row and column doubled where there is an odd number of them."""
    odd = (0, x.shape[-1] % 2, 0, x.shape[-2] % 2)
    return pad(x, odd, mode="replicate") if any(odd) else x


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images of that height and width, bilinear where they have another."""
    if x.shape[2:] == size:
        return x
    return interpolate(x, size, mode="bilinear", align_corners=False)


def beside(x: Tensor, z: Tensor) -> Tensor:
    """Maps with the codes as planes of one value each, `(N, C, H, W), (N, d) -> (N, C + d, …)`."""
    planes = z[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes], 1)
