"""Deep convolutional GAN."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli.model import IMAGE_NORMS, Generator, Shape, check_at_least, check_choice


@dataclass(frozen=True)
class DCGAN:
    """Convolutions of stride 2 down in D, and transposed up in G, for images of any size.

    Radford et al. 2015, arXiv 1511.06434, with the kernels of 4 and the first weights of the
    authors' code: N(0, 0.02), those of a norm N(1, 0.02). ReLU in G, leaky ReLU in D, tanh at the
    end, batch norm in both but not at their ends. The image is halved (rounding up) until its
    shorter side is 7 or less, and twice at least from 8 pixels on: four times for 64×64, as in
    the paper, twice for 28×28. `width` is the number of channels next to the image; it doubles
    with each halving.
    """

    z_dim: int = 100
    width: int = 64
    g_norm: str = "batch"
    d_norm: str = "batch"

    def __post_init__(self) -> None:
        check_at_least(1, z_dim=self.z_dim, width=self.width)
        check_choice("g_norm", self.g_norm, IMAGE_NORMS)
        check_choice("d_norm", self.d_norm, IMAGE_NORMS)

    def generator(self, shape: Shape) -> Generator:
        """G, `(N, z_dim) -> (N, C, H, W)`."""
        return DCGANGenerator(self, shape)

    def discriminator(self, shape: Shape) -> nn.Module:
        """D, `(N, C, H, W) -> (N,)`."""
        return DCGANDiscriminator(self, shape)


def halvings(shape: Shape) -> list[tuple[int, int]]:
    """Heights and widths from the image down to the smallest feature map."""
    if len(shape) != 3:
        raise ValueError(f"dcgan draws images, and a sample here has shape {shape}: model=mlp")
    _, height, width = shape
    if min(height, width) < 4:
        raise ValueError(f"dcgan needs images of 4×4 or more, not {height}×{width}: model=mlp")
    sizes = [(height, width)]
    twice = 2 if min(height, width) >= 8 else 1
    while len(sizes) <= twice or min(sizes[-1]) > 7:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


@torch.no_grad()
def init(module: nn.Module) -> None:
    """Weights from N(0, 0.02) (section 4), those of a norm from N(1, 0.02), biases 0."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(getattr(module, "weight", None), nn.Parameter):
        nn.init.normal_(module.weight, 1.0, 0.02)  # type: ignore[arg-type]
    if isinstance(getattr(module, "bias", None), nn.Parameter):
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]


class DCGANGenerator(Generator):
    """G: a small map of many channels, doubled in size until it is an image."""

    def __init__(self, size: DCGAN, shape: Shape):
        super().__init__()
        self.z_dim = size.z_dim
        self.sizes = halvings(shape)[::-1]
        ups = len(self.sizes) - 1
        widths = [size.width * 2 ** (ups - 1 - i) for i in range(ups)]
        self.base = (widths[0], *self.sizes[0])
        norm = IMAGE_NORMS[size.g_norm]
        bias = isinstance(norm(1), nn.Identity)
        self.first = nn.Linear(size.z_dim, widths[0] * self.base[1] * self.base[2], bias=bias)
        self.hidden = nn.ModuleList(nn.Sequential(norm(w), nn.ReLU()) for w in widths)
        outs = [*widths[1:], shape[0]]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(w, out, 4, 2, 1, bias=bias or i == ups - 1)
            for i, (w, out) in enumerate(zip(widths, outs, strict=True))
        )
        self.apply(init)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images in [-1, 1], `(N, z_dim) -> (N, C, H, W)`."""
        x: Tensor = self.first(z).unflatten(1, self.base)
        for hidden, up, (height, width) in zip(self.hidden, self.up, self.sizes[1:], strict=True):
            x = up(hidden(x))[..., :height, :width]
        return x.tanh()


class DCGANDiscriminator(nn.Module):
    """D: the image is halved until it is a small map of many channels, then one number."""

    def __init__(self, size: DCGAN, shape: Shape):
        super().__init__()
        sizes = halvings(shape)
        norm = IMAGE_NORMS[size.d_norm]
        layers: list[nn.Module] = []
        channels = shape[0]
        for index in range(len(sizes) - 1):
            out = size.width * 2**index
            bias = index == 0 or isinstance(norm(1), nn.Identity)
            layers += [
                nn.Conv2d(channels, out, 4, 2, 1, bias=bias),
                norm(out) if index else nn.Identity(),
                nn.LeakyReLU(0.2),
            ]
            channels = out
        self.layers = nn.Sequential(*layers)
        halves = len(sizes) - 1
        self.last = nn.Linear(channels * (shape[1] >> halves) * (shape[2] >> halves), 1)
        self.apply(init)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs, `(N, C, H, W) -> (N,)`."""
        out: Tensor = self.last(self.layers(x).flatten(1))
        return out.squeeze(1)
