"""A discriminator that is an autoencoder, for games of energies."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor, nn

from gan_cli.model import (
    IMAGE_NORMS,
    VECTOR_NORMS,
    Generator,
    Shape,
    check_at_least,
    check_choice,
)
from gan_cli.model.stride import Up, down


@dataclass(frozen=True)
class Autoencoder:
    """D's output is minus the error of its reconstruction, the mean of |x - D(x)|^power.

    Zhao et al. 2016, arXiv 1609.03126, section 2.3; Berthelot et al. 2017, arXiv 1703.10717,
    equation 1, with their power of 1 or 2. Images of 4×4 and more go through convolutions of
    stride 2, down to `code` numbers and up again as in model=dcgan, anything else through two
    hidden layers of 2 `width`. G is like D's upper half. For loss=ebgan and loss=began; D's output
    is never above 0, so of the other losses only those of differences (rsgan, wgan) make sense.
    """

    z_dim: int = 64
    width: int = 64
    code: int = 64
    power: int = 1
    g_norm: str = "batch"
    d_norm: str = "none"

    def __post_init__(self) -> None:
        check_at_least(1, z_dim=self.z_dim, width=self.width, code=self.code)
        if self.power not in (1, 2):
            raise ValueError(f"power is 1 or 2, not {self.power}")
        check_choice("g_norm", self.g_norm, IMAGE_NORMS)
        check_choice("d_norm", self.d_norm, IMAGE_NORMS)

    def generator(self, shape: Shape) -> Generator:
        """G, `(N, z_dim) -> (N, …)`."""
        if is_image(shape):
            return Up(self.z_dim, self.width, self.g_norm, shape)
        check_choice("g_norm", self.g_norm, VECTOR_NORMS)
        return VectorGenerator(self, shape)

    def discriminator(self, shape: Shape) -> nn.Module:
        """D, `(N, …) -> (N,)`."""
        if is_image(shape):
            layers, values = down(self.width, self.d_norm, shape)
            halves = layers, nn.Flatten(), nn.Linear(values, self.code)
            return Energy(nn.Sequential(*halves), self._up(shape), self.power)
        check_choice("d_norm", self.d_norm, VECTOR_NORMS)
        values = math.prod(shape)
        encoder = perceptron(values, 2 * self.width, self.code, self.d_norm)
        decoder = perceptron(self.code, 2 * self.width, values, self.d_norm)
        shaped = nn.Sequential(decoder, nn.Unflatten(1, shape))
        return Energy(nn.Sequential(nn.Flatten(), encoder), shaped, self.power)

    def _up(self, shape: Shape) -> Up:
        return Up(self.code, self.width, self.d_norm, shape)


def is_image(shape: Shape) -> bool:
    """Whether samples are images that can be halved."""
    return len(shape) == 3 and min(shape[1:]) >= 4


def perceptron(values: int, width: int, out: int, norm: str) -> nn.Sequential:
    """Two hidden layers with leaky ReLU, `(N, values) -> (N, out)`."""
    layers: list[nn.Module] = []
    for wide in (values, width):
        layers += [nn.Linear(wide, width), VECTOR_NORMS[norm](width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(width, out))


class VectorGenerator(Generator):
    """G of samples that are no images: a perceptron."""

    def __init__(self, size: Autoencoder, shape: Shape):
        super().__init__()
        self.z_dim, self.shape = size.z_dim, shape
        self.layers = perceptron(size.z_dim, 2 * size.width, math.prod(shape), size.g_norm)
        self.last = nn.Tanh() if len(shape) == 3 else nn.Identity()

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Samples, `(N, z_dim) -> (N, *shape)`."""
        out: Tensor = self.last(self.layers(z))
        return out.unflatten(1, self.shape)


class Energy(nn.Module):
    """D: minus the error of a reconstruction, sample by sample."""

    energy = True

    def __init__(self, encoder: nn.Module, decoder: nn.Module, power: int):
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict(encoder=encoder, decoder=decoder)
        self.autoencoder = nn.Sequential(parts)
        self.power = power

    def reconstruct(self, x: Tensor) -> Tensor:
        """What D makes of samples, `(N, …) -> (N, …)`."""
        out: Tensor = self.autoencoder(x)
        return out

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Minus the energies, `(N, …) -> (N,)`."""
        error = (x - self.reconstruct(x)).flatten(1).abs()
        return -(error**self.power).mean(1)
