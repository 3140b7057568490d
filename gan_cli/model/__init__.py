"""Models: G and D by family, sized from the shape of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

Shape = tuple[int, ...]
"""The shape of one sample: (channels, height, width) of an image, or (d,) of a point."""


class Generator(nn.Module):
    """A network from latent codes `(N, z_dim)` and conditions to samples `(N, …)`."""

    z_dim: int

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Samples, `(N, z_dim), (N, …) -> (N, …)`."""
        raise TypeError(f"{type(self).__name__} has no forward")


class Model(Protocol):
    """A pair of networks for samples of a given shape."""

    def generator(self, shape: Shape) -> Generator:
        """A new G; ValueError when the family can't make such samples."""
        ...

    def discriminator(self, shape: Shape) -> nn.Module:
        """A new D, `(N, …), (N, …) -> (N,)`; ValueError when the family can't judge them."""
        ...


Norm = Callable[[int], nn.Module]

IMAGE_NORMS: dict[str, Norm] = {
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "group": lambda channels: nn.GroupNorm(math.gcd(channels, 32), channels),
    "none": lambda channels: nn.Identity(),
}
"""Normalisations of feature maps `(N, C, H, W)`, by name."""


def vector_groups(width: int) -> int:
    """Groups of a vector: up to 32, of 8 values or more, for a group of few is a constant."""
    return max(
        math.gcd(width, groups)
        for groups in (32, 16, 8, 4, 2, 1)
        if width >= 8 * groups or groups == 1
    )


VECTOR_NORMS: dict[str, Norm] = {
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
    "group": lambda width: nn.GroupNorm(vector_groups(width), width),
    "none": lambda width: nn.Identity(),
}
"""Normalisations of feature vectors `(N, C)`, by name."""


def check_choice(name: str, value: str, choices: dict[str, Norm]) -> None:
    """Raise ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}, not {value}")


def check_at_least(least: int, **sizes: int) -> None:
    """Raise ValueError unless each size reaches the least."""
    for name, size in sizes.items():
        if size < least:
            raise ValueError(f"{name} must be {least} or more, not {size}")
