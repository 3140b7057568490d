"""Convolutions of stride 2, down from an image and up to it, for images of any size."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, pixel_shuffle

from gan_cli.model import IMAGE_NORMS, Generator, Shape
from gan_cli.model.conditional_norm import conditional, hidden


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
        between = [nn.ConvTranspose2d(w, w // 2, 4, 2, 1, bias=bias) for w in widths[:-1]]
        self.up = nn.ModuleList([*between, ToImage(widths[-1], shape[0], 4, 2, 1)])

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images in [-1, 1], `(N, z_dim), (N,) -> (N, C, H, W)`."""
        x: Tensor = self.first(z).unflatten(1, self.base)
        for told, up, (height, width) in zip(self.hidden, self.up, self.sizes[1:], strict=True):
            x = up(told(x, c))[..., :height, :width]
        return x.tanh()


class ToImage(nn.ConvTranspose2d):
    """A transposed convolution with a kernel of 4 and a stride of 2, to few channels.

    On a CPU it is computed as what it comes to: of each 2×2 pixels each has a kernel of 2 of its
    own, so that a transposed convolution of stride 1 gives them as 4 channels. With so few channels
    that takes a third to a half of the time.
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """An image of twice the size, `(N, in, H, W) -> (N, out, 2H, 2W)`."""
        if x.device.type != "cpu":
            return super().forward(x)
        kernels = self.weight.unflatten(2, (2, 2)).unflatten(4, (2, 2))  # in out y0 y1 x0 x1
        kernels = kernels.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return pixel_shuffle(conv_transpose2d(x, kernels, bias), 2)[..., 1:-1, 1:-1]


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
            nn.Conv2d(channels, out, 4, 2, 1, bias=bias),
            norm(out) if index else nn.Identity(),
            nn.LeakyReLU(0.2),
        ]
        channels = out
    return nn.Sequential(*layers), channels * (shape[1] >> halves) * (shape[2] >> halves)
