"""Models: G and D by family, sized from the shape of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gan_cli.space import Shape as Shape


class Generator(nn.Module):
    """A network from latent codes `(N, z_dim)` and conditions to samples `(N, …)`."""

    z_dim: int

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Samples, `(N, z_dim), (N, …) -> (N, …)`."""
        raise TypeError(f"{type(self).__name__} has no forward")


class Discriminator(nn.Module):
    """A network from samples `(N, …)` to features, and from features to one number each.

    Heads are attached to the features, so D's last layer is by itself. Both get the condition,
    which those that know of none ignore.
    """

    width: int
    """Numbers in the features of a sample; 0 where there are none to be had."""

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """What the last layer gets to see, `(N, …), (N, …) -> (N, width)`."""
        raise TypeError(f"{type(self).__name__} has no features")

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs from features, `(N, width), (N, …) -> (N,)`."""
        raise TypeError(f"{type(self).__name__} has no answer")

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs, `(N, …), (N, …) -> (N,)`."""
        return self.answer(self.features(x, c), c)


def has_features(D: nn.Module | None) -> bool:
    """Whether heads can be attached to it."""
    return isinstance(D, Discriminator) and D.width > 0


class Model(Protocol):
    """A pair of networks for samples of a given shape."""

    def generator(self, shape: Shape) -> Generator:
        """A new G; ValueError when the family can't make such samples."""
        ...

    def discriminator(self, shape: Shape) -> nn.Module:
        """A new D, `(N, …), (N, …) -> (N,)`; ValueError when the family can't judge them.

        A Discriminator where features are to be had.
        """
        ...


@runtime_checkable
class Classed(Protocol):
    """A family whose G can take in a label by itself, in its normalisations."""

    def classed(self, shape: Shape, classes: int) -> Generator:
        """A new G, `(N, z_dim), (N,) -> (N, …)`; ValueError when it can't."""
        ...


@runtime_checkable
class Translates(Protocol):
    """A family whose G makes images from images."""

    def translator(self, shape: Shape, given: Shape) -> Generator:
        """A new G, `(N, z_dim), (N, *given) -> (N, *shape)`; ValueError when it can't."""
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


def one_hot(c: Tensor, classes: int, like: Tensor) -> Tensor:
    """Labels as vectors of the type of `like`, `(N,) -> (N, classes)`; of -1, all zeros."""
    return (c[:, None] == torch.arange(classes, device=c.device)).to(like.dtype)


def check_at_least(least: int, **sizes: int) -> None:
    """Raise ValueError unless each size reaches the least."""
    for name, size in sizes.items():
        if size < least:
            raise ValueError(f"{name} must be {least} or more, not {size}")
