"""Multilayer perceptrons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from gan_cli.model import (
    VECTOR_NORMS,
    Discriminator,
    Generator,
    Shape,
    check_at_least,
    check_choice,
)
from gan_cli.model.stddev import statistic


@dataclass(frozen=True)
class MLP:
    """Fully connected G and D for samples of any shape, as in the first GAN.

    Goodfellow et al. 2014, arXiv 1406.2661, section 5; here with ReLU in G, leaky ReLU in D, and
    tanh at the end of a G of images. PyTorch's own initialisation. With `minibatch_std`, D's last
    layer also gets how much that many samples differ (Karras et al. 2017, arXiv 1710.10196).
    """

    z_dim: int = 64
    width: int = 256
    depth: int = 3
    g_norm: str = "none"
    d_norm: str = "none"
    minibatch_std: int = 0

    def __post_init__(self) -> None:
        check_at_least(1, z_dim=self.z_dim, width=self.width, depth=self.depth)
        check_choice("g_norm", self.g_norm, VECTOR_NORMS)
        check_choice("d_norm", self.d_norm, VECTOR_NORMS)
        statistic(self.minibatch_std)

    def generator(self, shape: Shape) -> Generator:
        """G, `(N, z_dim) -> (N, *shape)`."""
        return MLPGenerator(self, shape)

    def discriminator(self, shape: Shape) -> Discriminator:
        """D, `(N, *shape) -> (N,)`."""
        return MLPDiscriminator(self, shape)


class MLPGenerator(Generator):
    """G: hidden layers with ReLU, then a sample."""

    def __init__(self, size: MLP, shape: Shape):
        super().__init__()
        self.z_dim, self.shape = size.z_dim, shape
        layers: list[nn.Module] = []
        width = size.z_dim
        for _ in range(size.depth):
            norm = VECTOR_NORMS[size.g_norm](size.width)
            layers += [nn.Linear(width, size.width), norm, nn.ReLU()]
            width = size.width
        last = nn.Tanh() if len(shape) == 3 else nn.Identity()
        self.layers = nn.Sequential(*layers, nn.Linear(width, math.prod(shape)), last)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Samples, `(N, z_dim) -> (N, *shape)`."""
        out: Tensor = self.layers(z)
        return out.unflatten(1, self.shape)


class MLPDiscriminator(Discriminator):
    """D: hidden layers with leaky ReLU, then one number."""

    def __init__(self, size: MLP, shape: Shape):
        super().__init__()
        layers: list[nn.Module] = []
        width = math.prod(shape)
        for index in range(size.depth):
            norm = VECTOR_NORMS[size.d_norm](size.width) if index else nn.Identity()
            layers += [nn.Linear(width, size.width), norm, nn.LeakyReLU(0.2)]
            width = size.width
        layers += (spread := statistic(size.minibatch_std))
        self.width = width + len(spread)
        self.layers = nn.Sequential(*layers, nn.Linear(self.width, 1))

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """What the last layer gets to see, `(N, *shape) -> (N, width)`."""
        h = x.flatten(1)
        *hidden, _ = self.layers  # a slice of them would be a new network each time
        for layer in hidden:
            h = layer(h)
        return h

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs from features, `(N, width) -> (N,)`."""
        out: Tensor = self.layers[-1](h)
        return out.squeeze(1)
