"""Conditions beside the inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli.condition import (
    as_planes,
    check_way,
    planes,
    told_generator,
    untold_discriminator,
)
from gan_cli.model import Discriminator, Generator, Model
from gan_cli.model.packed import Packed
from gan_cli.space import Space


@dataclass(frozen=True)
class Concat:
    """The label stands beside z for G, and beside the sample for D, as one-hot planes.

    Mirza and Osindero 2014, arXiv 1411.1784. An image condition stands beside the sample as more
    channels (Isola et al. 2016, arXiv 1611.07004). With `matching`, a right sample with a wrong
    condition counts as fake: D pays (d(real, fake) + d(real, wrong)) / 2, as in GAN-CLS (Reed et
    al. 2016, arXiv 1605.05396, Algorithm 1). `g`=norm tells G's own normalisations instead.

    Needs: nothing; any model will do.
    Trouble: samples of the wrong class: condition=projection, or auxiliary=acgan beside it. Images
    from images that ignore the given one: condition.matching=true.
    """

    g: str = "concat"
    matching: bool = True

    def __post_init__(self) -> None:
        check_way(self.g)

    def generator(self, model: Model, space: Space) -> Generator:
        """G that hears of c, `(N, z_dim), (N, …) -> (N, …)`."""
        return told_generator(self.g, model, space)

    def discriminator(self, model: Model, space: Space, pack: int) -> nn.Module:
        """D that hears of c, `(N, …), (N, …) -> (N,)`."""
        if not (more := planes(space)):
            return untold_discriminator(model, space, pack)
        channels, *sides = space.shape
        bare = model.discriminator((pack * (channels + more), *sides))
        return Beside(bare if pack == 1 else Packed(bare, pack), len(space.classes))


class Beside(Discriminator):
    """D with the condition as more channels of the sample (Mirza and Osindero 2014)."""

    def __init__(self, D: nn.Module, classes: int):
        super().__init__()
        self.D, self.classes = D, classes
        self.width = D.width if isinstance(D, Discriminator) else 0

    def together(self, x: Tensor, c: Tensor | None) -> Tensor:
        """What D gets to see."""
        assert c is not None
        return torch.cat([x, as_planes(c, x, self.classes)], 1)

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """D's features of sample and condition, `(N, …), (N, …) -> (N, width)`."""
        assert isinstance(self.D, Discriminator)
        return self.D.features(self.together(x, c))

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs from features, `(N, width) -> (N,)`."""
        assert isinstance(self.D, Discriminator)
        return self.D.answer(h)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs, `(N, …), (N, …) -> (N,)`."""
        out: Tensor = self.D(self.together(x, c))
        return out
