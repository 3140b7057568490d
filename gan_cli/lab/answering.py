"""Generators of images from images in the laboratory: networks of its own, all else as trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gan_cli import answers, build, session
from gan_cli.dataset.digits import Digits
from gan_cli.dataset.source import normalised
from gan_cli.lab.game import play
from gan_cli.model import Generator, Shape
from gan_cli.sampler import Sampler
from gan_cli.session import Session

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Translators:
    """A pair of networks as a model: what makes a G of images from images, and what makes D."""

    G: Callable[[Shape, Shape], Generator]
    D: Callable[[Shape], nn.Module]

    def generator(self, shape: Shape) -> Generator:
        """There is none without an image to begin with: ValueError."""
        raise ValueError("it makes images from images")

    def translator(self, shape: Shape, given: Shape) -> Generator:
        """A new G, `(N, z_dim), (N, *given) -> (N, *shape)`."""
        return self.G(shape, given)

    def discriminator(self, shape: Shape) -> nn.Module:
        """A new D, `(N, *shape) -> (N,)`."""
        return self.D(shape)


class Flat(Generator):
    """G of hidden layers over all pixels given and z, `(N, z_dim), (N, …) -> (N, *shape)`."""

    def __init__(self, shape: Shape, given: Shape, z_dim: int = 16, width: int = 256):
        super().__init__()
        self.z_dim, self.shape = z_dim, shape
        layers: list[nn.Module] = [nn.Linear(z_dim + math.prod(given), width), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Linear(width, width), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, math.prod(shape)), nn.Tanh())

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images in [-1, 1]."""
        assert c is not None
        out: Tensor = self.layers(torch.cat([z, c.flatten(1)], 1))
        return out.unflatten(1, self.shape)


def trained(*overrides: str, model: Translators, seed: int) -> Session:
    """What `gan train` gives under these overrides, but for the networks."""
    config = build.compose(*overrides, f"seed={seed}")
    started = session.make(config, replace(build.parts(config), model=model), CPU)
    for _ in play(started, seed):
        pass
    return started


def drawn(trained: Session, c: Tensor, draws: int, seed: int) -> Tensor:
    """Several answers to each condition, `(n, …) -> (draws, n, …)`."""
    one = trained
    sampler = Sampler(one.method.generator, one.space, one.prior, one.task, one.data.shape)
    return torch.stack(answers.answers(sampler, c, seed, draws))


def held_out() -> Tensor:
    """The digits that nobody learns from, `(359, 1, 8, 8)` in [-1, 1]."""
    return normalised(Digits("test").load().images, None, None, CPU).x
