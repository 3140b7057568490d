"""A discriminator that judges an image patch by patch."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.model import IMAGE_NORMS, Discriminator, Shape
from gan_cli.model.convolution import ConvDown


def field(halves: int) -> int:
    """The side of the patch that is judged after so many halvings: 7, 16, 34, 70, 142, …"""
    side = 7  # two kernels of 4
    for _ in range(halves):
        side = 2 * side + 2
    return side


def halves_for(shape: Shape, layers: int) -> int:
    """The halvings for an image: up to `layers`, while a patch is no larger than the image.

    ValueError where a sample is no image, or too small to have patches.
    """
    if len(shape) != 3:
        raise ValueError(f"it judges patches of images, and a sample here has shape {shape}")
    _, height, width = shape
    side = min(height, width)
    if side < 4:
        raise ValueError(f"it judges patches of images of 4×4 or more, not {height}×{width}")
    return max((n for n in range(layers + 1) if field(n) <= side), default=0)


class PatchDiscriminator(Discriminator):
    """D: convolutions of kernels of 4, and at the end a number for each patch.

    Those of stride 2 halve the image and double the channels, up to eight times as many; two of
    stride 1 follow. Norms and first weights as in model=dcgan. Its features are those of all
    patches.
    """

    patches: ClassVar[bool] = True

    def __init__(self, shape: Shape, width: int, layers: int, norm_name: str):
        super().__init__()
        norm = IMAGE_NORMS[norm_name]
        halves = halves_for(shape, layers)
        made: list[nn.Module] = []
        before = shape[0]
        for index in range(halves + 1):
            out = width * min(2**index, 8)
            bias = index == 0 or isinstance(norm(1), nn.Identity)
            if index < halves:
                conv: nn.Conv2d = ConvDown(before, out, bias)
            else:
                conv = nn.Conv2d(before, out, 4, 1, 1, bias=bias)
            made += [conv, norm(out) if index else nn.Identity(), nn.LeakyReLU(0.2)]
            before = out
        self.layers = nn.Sequential(*made)
        self.last = nn.Conv2d(before, 1, 4, 1, 1)
        self.map = (before, (shape[1] >> halves) - 1, (shape[2] >> halves) - 1)
        self.width = math.prod(self.map)
        self.apply(init)

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """What the last layer gets to see, `(N, C, H, W) -> (N, width)`."""
        out: Tensor = self.layers(x)
        return out.flatten(1)

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs from features, one a patch, `(N, width) -> (N, P)`."""
        out: Tensor = self.last(h.unflatten(1, self.map))
        return out.flatten(1)


@torch.no_grad()
def init(module: nn.Module) -> None:
    """Weights from N(0, 0.02), those of a norm from N(1, 0.02), biases 0, as in both papers."""
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if isinstance(weight, Tensor):
        weight.normal_(0.0 if weight.dim() > 1 else 1.0, 0.02)
    if isinstance(bias, Tensor):
        bias.zero_()
