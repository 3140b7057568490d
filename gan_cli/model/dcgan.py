"""Deep convolutional GAN."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli.model import (
    IMAGE_NORMS,
    Discriminator,
    Generator,
    Shape,
    check_at_least,
    check_choice,
)
from gan_cli.model.convolution import flat
from gan_cli.model.stddev import statistic
from gan_cli.model.stride import Up, down


@dataclass(frozen=True)
class DCGAN:
    """Convolutions of stride 2 down in D, and transposed up in G, for images of any size.

    Radford et al. 2015, arXiv 1511.06434, with the kernels of 4 and the first weights of the
    authors' code: N(0, 0.02), those of a norm N(1, 0.02). ReLU in G, leaky ReLU in D, tanh at the
    end, batch norm in both but not at their ends. The image is halved (rounding up) until its
    shorter side is 7 or less, and twice at least from 8 pixels on: four times for 64×64, as in
    the paper, twice for 28×28. `width` is the number of channels next to the image; it doubles
    with each halving. With `minibatch_std`, D's last layer also gets how much that many samples
    differ (Karras et al. 2017, arXiv 1710.10196). G's batch norms can hear of labels (de Vries et
    al. 2017, arXiv 1707.00683).
    """

    z_dim: int = 100
    width: int = 64
    g_norm: str = "batch"
    d_norm: str = "batch"
    minibatch_std: int = 0

    def __post_init__(self) -> None:
        check_at_least(1, z_dim=self.z_dim, width=self.width)
        check_choice("g_norm", self.g_norm, IMAGE_NORMS)
        check_choice("d_norm", self.d_norm, IMAGE_NORMS)
        statistic(self.minibatch_std)

    def generator(self, shape: Shape) -> Generator:
        """G, `(N, z_dim) -> (N, C, H, W)`."""
        return DCGANGenerator(self, shape)

    def classed(self, shape: Shape, classes: int) -> Generator:
        """G that is told a label in its batch norms, `(N, z_dim), (N,) -> (N, C, H, W)`."""
        return DCGANGenerator(self, shape, classes)

    def discriminator(self, shape: Shape) -> Discriminator:
        """D, `(N, C, H, W) -> (N,)`."""
        return DCGANDiscriminator(self, shape)


def check_image(shape: Shape) -> None:
    """Raise ValueError unless a sample is an image that can be halved."""
    if len(shape) != 3:
        raise ValueError(f"dcgan draws images, and a sample here has shape {shape}: model=mlp")
    _, height, width = shape
    if min(height, width) < 4:
        raise ValueError(f"dcgan needs images of 4×4 or more, not {height}×{width}: model=mlp")


@torch.no_grad()
def init(module: nn.Module) -> None:
    """Weights from N(0, 0.02) (section 4), those of a norm from N(1, 0.02), biases 0."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(getattr(module, "weight", None), nn.Parameter):
        nn.init.normal_(module.weight, 1.0, 0.02)  # type: ignore[arg-type]
    if isinstance(getattr(module, "bias", None), nn.Parameter):
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]


class DCGANGenerator(Up):
    """G: a small map of many channels, doubled in size until it is an image."""

    def __init__(self, size: DCGAN, shape: Shape, classes: int = 0):
        check_image(shape)
        super().__init__(size.z_dim, size.width, size.g_norm, shape, classes)
        self.apply(init)


class DCGANDiscriminator(Discriminator):
    """D: the image is halved until it is a small map of many channels, then one number."""

    def __init__(self, size: DCGAN, shape: Shape):
        super().__init__()
        check_image(shape)
        self.layers, values = down(size.width, size.d_norm, shape)
        self.spread = nn.Sequential(*statistic(size.minibatch_std))
        self.width = values + len(self.spread)
        self.last = nn.Linear(self.width, 1)
        self.apply(init)

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """What the last layer gets to see, `(N, C, H, W) -> (N, width)`."""
        out: Tensor = self.spread(flat(self.layers(x)))
        return out

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs from features, `(N, width) -> (N,)`."""
        out: Tensor = self.last(h)
        return out.squeeze(1)
