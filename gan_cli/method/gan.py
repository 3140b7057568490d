"""The generative adversarial network: Algorithm 1 of Goodfellow et al. 2014, arXiv 1406.2661."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from gan_cli.batch import Batch
from gan_cli.constraint import Constraint
from gan_cli.errors import UserMistake
from gan_cli.loss import Loss
from gan_cli.model import Generator
from gan_cli.penalty import Penalty, Seen
from gan_cli.player import Facts, Player


@dataclass(frozen=True)
class Turns:
    """Who moves how often: D `critic` times, then G `generator` times, a step.

    `head_start_d` steps are D's alone at first, and `head_start_g` steps G's alone.
    """

    critic: int = 1
    generator: int = 1
    head_start_d: int = 0
    head_start_g: int = 0

    def __post_init__(self) -> None:
        if self.critic < 1:
            raise ValueError(f"n_critic is D's updates a step, 1 or more, not {self.critic}")
        if self.generator < 1:
            raise ValueError(f"n_generator is G's updates a step, 1 or more, not {self.generator}")
        if min(self.head_start_d, self.head_start_g) < 0:
            raise ValueError("head_start.d and head_start.g are numbers of steps, 0 or more")
        if self.head_start_d and self.head_start_g:
            raise ValueError("only one player can have a head start: head_start.d or head_start.g")


class GAN:
    """G against D in alternation, each in turn with the other held fixed.

    D's step draws its fakes with G in training mode, as is customary: if G has batch norm, its
    running statistics move then too; its weights do not.
    """

    def __init__(
        self,
        G: Player,
        D: Player,
        loss: Loss,
        penalty: Penalty,
        constraint: Constraint,
        turns: Turns,
        accumulate: int = 1,
    ):
        if accumulate < 1:
            raise ValueError(f"accumulate is a number of parts, 1 or more, not {accumulate}")
        self.G, self.D = G, D
        self.z_dim = cast(Generator, G.net).z_dim
        self.loss, self.penalty, self.constraint = loss, penalty, constraint
        self.turns, self.accumulate = turns, accumulate
        self.players = {"G": G, "D": D}
        self.outputs: dict[str, Tensor] = {}

    @property
    def batches_per_step(self) -> int:
        """One batch of data for each of D's updates; G's take their conditions from the last."""
        return self.turns.critic

    @property
    def images(self) -> int:
        """Images of the data that D has learnt from."""
        return self.D.images

    @property
    def generator(self) -> nn.Module:
        """G's average, or G where there is none."""
        return self.G.best

    def step(self, batches: Iterable[Batch], step: int) -> Facts:
        """For k steps ascend D's gradient on a fresh batch; then descend G's."""
        facts: Facts = {}
        for real in batches:
            if step >= self.turns.head_start_g:
                facts |= self.d_step(real)
        if step >= self.turns.head_start_d:
            for _ in range(self.turns.generator):
                facts |= self.g_step(real)
        return facts

    def d_step(self, real: Batch) -> Facts:
        """D learns to tell real from fake; G is held fixed."""
        facts = self.D.descend(self.d_loss, real, self.accumulate)
        self.constraint.project(self.D.net)
        return {_D.get(name, name): fact for name, fact in facts.items()}

    def g_step(self, real: Batch) -> Facts:
        """G learns to pass for real; D is held fixed."""
        facts = self.G.descend(self.g_loss, real, self.accumulate)
        return {_G.get(name, name): fact for name, fact in facts.items()}

    def d_loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """What D minimises on each sample, `(N,)`: its side of the game, and the penalty."""
        with torch.no_grad():
            fake = self.fake(real)
        d_real, d_fake = self.judge(real), self.judge(fake)
        game = _each(self.loss, self.loss.d(d_real, d_fake), real)
        facts = {"loss": game.mean(), "D/real": d_real.mean(), "D/fake": d_fake.mean()}
        self.outputs = {"D/real": d_real.detach(), "D/fake": d_fake.detach()}
        every = self.penalty.every
        if every and self.D.updates % every == 0:
            paid = self.penalty(Seen(self.D.net, real, fake, d_real, d_fake))
            game = game + every * _each(self.penalty, paid, real)
            facts["penalty"] = paid.mean()
        return game, {name: fact.detach() for name, fact in facts.items()}

    def g_loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """What G minimises on each sample, `(N,)`."""
        fake = self.fake(real)
        d_real = self.judge(real) if self.loss.relative else None
        game = _each(self.loss, self.loss.g(d_real, self.judge(fake)), real)
        return game, {"loss": game.mean().detach()}

    def fake(self, like: Batch) -> Batch:
        """As many samples from G, under the same conditions."""
        z = torch.randn(len(like), self.z_dim, device=like.x.device)
        x = self.G(z, like.c)
        if x.shape != like.x.shape:
            raise UserMistake(f"G makes {tuple(x.shape)} where the data are {tuple(like.x.shape)}")
        return Batch(x, like.c)

    def judge(self, batch: Batch) -> Tensor:
        """D's raw outputs on a batch, `(N,)`."""
        return _each(self.D.net, self.D(batch.x, batch.c), batch)


def _each(source: object, values: Tensor, batch: Batch) -> Tensor:
    """The values, if there is one for each sample: anything else would be averaged wrongly."""
    if values.shape != (len(batch),):
        name, shape = type(source).__name__, tuple(values.shape)
        raise UserMistake(f"{name} gives {shape} for a batch of {len(batch)}, not one a sample")
    return values


_D = {"loss": "loss/d", "grad_norm": "grad_norm/d"}
_G = {"loss": "loss/g", "grad_norm": "grad_norm/g"}
