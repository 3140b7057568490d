"""Convolutions of stride 2, down from an image and up to it, for images of any size."""

from __future__ import annotations

from torch import Tensor, nn

from gan_cli.model import IMAGE_NORMS, Generator, Shape
from gan_cli.model.conditional_norm import conditional, hidden
from gan_cli.model.convolution import ConvDown, ConvUp, ToImage, layout_of


def halvings(shape: Shape) -> list[tuple[int, int]]:
    """Heights and widths of an image of 4×4 or more, down to the smallest feature map.

    Halved (rounding up) until the shorter side is 7 or less, and twice at least from 8 pixels on.
    """
    _, height, width = shape
    sizes = [(height, width)]
    twice = 2 if min(height, width) >= 8 else 1
    while len(sizes) <= twice or min(sizes[-1]) > 7:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


class Up(Generator):
    """From a vector to an image: a small map of many channels, doubled in size step by step.

    Transposed convolutions with kernels of 4, ReLU, and tanh at the end; `width` is the number of
    channels next to the image. With `classes`, its batch norms are told a label; ValueError when
    it has none.
    """

    def __init__(self, z_dim: int, width: int, norm_name: str, shape: Shape, classes: int = 0):
        super().__init__()
        self.z_dim = z_dim
        self.sizes = halvings(shape)[::-1]
        ups = len(self.sizes) - 1
        widths = [width * 2 ** (ups - 1 - i) for i in range(ups)]
        self.base = (widths[0], *self.sizes[0])
        norm = conditional(norm_name, classes) if classes else IMAGE_NORMS[norm_name]
        bias = isinstance(norm(1), nn.Identity)
        self.first = nn.Linear(z_dim, widths[0] * self.base[1] * self.base[2], bias=bias)
        self.hidden = nn.ModuleList(hidden(norm(w)) for w in widths)
        between = [ConvUp(w, w // 2, bias) for w in widths[:-1]]
        self.up = nn.ModuleList([*between, ToImage(widths[-1], shape[0])])

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images in [-1, 1], `(N, z_dim), (N,) -> (N, C, H, W)`."""
        x: Tensor = self.first(z).unflatten(1, self.base)
        kernel = next(w for w in self.up.parameters() if w.dim() == 4)
        x = x.contiguous(memory_format=layout_of(kernel))
        for told, up, (height, width) in zip(self.hidden, self.up, self.sizes[1:], strict=True):
            x = up(told(x, c))[..., :height, :width]
        return x.tanh()


def down(width: int, norm_name: str, shape: Shape) -> tuple[nn.Sequential, int]:
    """Layers from an image to its smallest map, and the number of values in that map.

    Convolutions with kernels of 4, leaky ReLU, no norm at the image; `width` as above.
    """
    norm = IMAGE_NORMS[norm_name]
    layers: list[nn.Module] = []
    channels = shape[0]
    halves = len(halvings(shape)) - 1
    for index in range(halves):
        out = width * 2**index
        bias = index == 0 or isinstance(norm(1), nn.Identity)
        layers += [
            ConvDown(channels, out, bias),
            norm(out) if index else nn.Identity(),
            nn.LeakyReLU(0.2),
        ]
        channels = out
    return nn.Sequential(*layers), channels * (shape[1] >> halves) * (shape[2] >> halves)
