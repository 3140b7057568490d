"""Games of the laboratory: networks and data of its own, all else as `gan train` builds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from gan_cli import build, session
from gan_cli.dataset.source import Distribution, Endless
from gan_cli.model import Generator
from gan_cli.randomness import reseed
from gan_cli.session import Session


@dataclass(frozen=True)
class Networks:
    """A pair of networks as a model: what makes G, and what makes D."""

    G: Callable[[], Generator]
    D: Callable[[], nn.Module]

    def generator(self, shape: tuple[int, ...]) -> Generator:
        """A new G."""
        return self.G()

    def discriminator(self, shape: tuple[int, ...]) -> nn.Module:
        """A new D."""
        return self.D()


@dataclass(frozen=True)
class Data:
    """A distribution as a data set."""

    law: Distribution

    def load(self) -> Endless:
        """Endless samples."""
        return Endless(self.law)


def game(*overrides: str, model: Networks, data: Distribution, seed: int = 0) -> Session:
    """What `gan train` would train under these overrides, but for the networks and the data."""
    config = build.compose("model=mlp_toy", *overrides, f"seed={seed}")
    made = replace(build.parts(config), model=model, dataset=Data(data))
    return session.make(config, made, torch.device("cpu"))


def play(game: Session, seed: int = 0) -> Iterator[int]:
    """Train, and stop for a look after each step: yields the steps done, from 1 on."""
    per_step = game.method.batches_per_step
    for step in range(game.steps):
        _begin(game, seed, step)
        numbers = range(step * per_step, (step + 1) * per_step)
        game.step((game.feed(i) for i in numbers), step)
        yield step + 1


def judge(game: Session, seed: int = 0) -> Iterator[int]:
    """Train D alone against the G there is; yields the steps done, from 1 on."""
    for step in range(game.steps):
        _begin(game, seed, step)
        game.game.d_step(game.feed(step))
        yield step + 1


def _begin(game: Session, seed: int, step: int) -> None:
    reseed(seed, step)
    game.course(step / game.steps)
    factor = game.schedule(step / game.steps)
    for player in game.method.players.values():
        player.pace(factor)
