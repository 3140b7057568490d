"""Conditions: how G and D are told what is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan_cli import dist
from gan_cli.model import (
    Classed,
    Discriminator,
    Generator,
    Model,
    Translates,
    has_features,
    one_hot,
)
from gan_cli.model.packed import Packed
from gan_cli.space import Space


class Condition(Protocol):
    """How labels and images reach the networks. Without a condition nothing is changed."""

    @property
    def matching(self) -> bool:
        """Whether a right sample with a wrong condition counts as fake for D."""
        ...

    def generator(self, model: Model, space: Space) -> Generator:
        """G that hears of c, `(N, z_dim), (N, …) -> (N, …)`; ValueError when it can't."""
        ...

    def discriminator(self, model: Model, space: Space, pack: int) -> nn.Module:
        """D that hears of c, for `pack` samples together; ValueError when it can't."""
        ...


def plain_generator(model: Model, space: Space) -> Generator:
    """G for what has no labels: of images it makes images."""
    if space.given is None:
        return model.generator(space.shape)
    if not isinstance(model, Translates):
        raise ValueError("it can't make images from images: model=unet")
    return model.translator(space.shape, space.given)


def told_beside_z(model: Model, space: Space) -> Generator:
    """G that gets the label as a one-hot vector beside z, or in its own way of putting it there."""
    if isinstance(model, Classed) and getattr(model, "labels_join_z", False):
        return told_in_norms(model, space)
    classes = len(space.classes)
    try:
        family: Any = model
        wider: Model = dataclasses.replace(family, z_dim=family.z_dim + classes)
    except (AttributeError, TypeError) as error:
        raise ValueError(
            "it has no z_dim that labels could stand beside: condition.g=norm"
        ) from error
    return BesideZ(wider.generator(space.shape), classes)


def told_in_norms(model: Model, space: Space) -> Generator:
    """G whose own normalisations depend on the label."""
    if not isinstance(model, Classed):
        raise ValueError("its G takes no labels in its norms: condition.g=concat, or model=sngan")
    return model.classed(space.shape, len(space.classes))


WAYS: dict[str, Callable[[Model, Space], Generator]] = {
    "concat": told_beside_z,
    "norm": told_in_norms,
}
"""How G is told a label, by name."""


def check_way(g: str) -> None:
    """Raise ValueError unless G can be told so."""
    if g not in WAYS:
        raise ValueError(f"g is one of {', '.join(WAYS)}, not {g}")


def told_generator(g: str, model: Model, space: Space) -> Generator:
    """G that is told labels in this way, or whatever else there is in the way there is."""
    return WAYS[g](model, space) if space.classes else plain_generator(model, space)


class BesideZ(Generator):
    """G with a one-hot label beside its latent code."""

    def __init__(self, inner: Generator, classes: int):
        super().__init__()
        self.inner, self.classes = inner, classes
        self.z_dim = inner.z_dim - classes

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Samples of the classes, `(N, z_dim), (N,) -> (N, …)`."""
        assert c is not None
        out: Tensor = self.inner(torch.cat([z, one_hot(c, self.classes, z)], 1), None)
        return out


def untold_discriminator(model: Model, space: Space, pack: int) -> nn.Module:
    """D of samples alone, `pack` of them together, `(N, …) -> (N,)`."""
    channels, *sides = space.shape
    bare = model.discriminator((pack * channels, *sides))
    return bare if pack == 1 else Packed(bare, pack)


def as_planes(c: Tensor, x: Tensor, classes: int) -> Tensor:
    """Conditions as more channels of the samples: one-hot planes of labels, or images resized.

    `(N,) or (N, C', h, w)`, `(N, C, H, W) or (N, d)` -> `(N, K, H, W)` or `(N, K)`.
    """
    if classes:
        hot = one_hot(c, classes, x)
        return hot if x.dim() == 2 else hot[:, :, None, None].expand(-1, -1, *x.shape[2:])
    if c.shape[2:] == x.shape[2:]:
        return c
    return interpolate(c, x.shape[2:], mode="bilinear", align_corners=False)


def planes(space: Space) -> int:
    """How many channels conditions are."""
    return len(space.classes) or (space.given[0] if space.given else 0)


def mismatch(c: Tensor, classes: int) -> Tensor:
    """Conditions of other samples: another label, each as likely; or the neighbour's image."""
    if not classes:
        return dist.rows(dist.whole(c).roll(1, 0))
    more = dist.own(lambda n: torch.randint(1, classes, (n,), device=c.device), len(c))
    return (c + more) % classes


def featured(D: nn.Module, wants: str) -> Discriminator:
    """D, if it has features; ValueError that says who wants them."""
    if not isinstance(D, Discriminator) or not has_features(D):
        raise ValueError(f"{wants} needs the features of a sample, and this D has none: {_WITH}")
    return D


_WITH = "model=dcgan (or mlp, sngan, …) and pack=1"
