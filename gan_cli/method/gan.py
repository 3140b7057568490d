"""The generative adversarial network: Algorithm 1 of Goodfellow et al. 2014, arXiv 1406.2661."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from gan_cli.augment import Augment
from gan_cli.batch import Batch
from gan_cli.constraint import Constraint
from gan_cli.errors import UserMistake
from gan_cli.loss import Loss
from gan_cli.memory import Remembers, recall
from gan_cli.method.turns import Turns
from gan_cli.model import Generator
from gan_cli.penalty import Penalty, Seen
from gan_cli.player import Facts, Player


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
        penalties: dict[str, Penalty],
        constraint: Constraint,
        augment: Augment,
        turns: Turns,
        accumulate: int = 1,
    ):
        if accumulate < 1:
            raise ValueError(f"accumulate is a number of parts, 1 or more, not {accumulate}")
        self.G, self.D = G, D
        self.z_dim = cast(Generator, G.net).z_dim
        self.loss, self.penalties, self.constraint = loss, penalties, constraint
        self.augment, self.turns, self.accumulate = augment, turns, accumulate
        self.players = {"G": G, "D": D}
        self.outputs: dict[str, Tensor] = {}
        self._heard: list[tuple[Tensor, Tensor]] = []

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
        return named(facts, "d") | self.settle()

    def g_step(self, real: Batch) -> Facts:
        """G learns to pass for real; D is held fixed."""
        facts = self.G.descend(self.g_loss, real, self.accumulate)
        return named(facts, "g")

    def d_loss(self, real: Batch, fake: Batch | None = None) -> tuple[Tensor, Facts]:
        """What D minimises on each sample, `(N,)`: its side of the game, and the penalties."""
        if fake is None:
            with torch.no_grad():
                fake = self.fake(real)
        real, fake = self.look(real), self.look(fake)
        d_real, d_fake = self.judge(real), self.judge(fake)
        game = _each(self.loss, self.loss.d(d_real, d_fake), real)
        facts = {"loss": game.mean(), "D/real": d_real.mean(), "D/fake": d_fake.mean()}
        self._heard.append((d_real.detach(), d_fake.detach()))
        seen = self.seen(real, fake, d_real, d_fake)
        for name, penalty in self.penalties.items():
            if self.D.updates % penalty.every == 0:
                paid = penalty(seen)
                game = game + penalty.every * _each(penalty, paid, real)
                facts[f"penalty/{name}"] = paid.mean()
        return game, {name: fact.detach() for name, fact in facts.items()}

    def g_loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """What G minimises on each sample, `(N,)`."""
        d_fake = self.judge(self.look(self.fake(real)))
        d_real = self.judge(self.look(real)) if self.loss.relative else None
        game = _each(self.loss, self.loss.g(d_real, d_fake), real)
        facts = {"loss": game.mean().detach()}
        return self.turns.best(game, d_fake), facts

    def settle(self) -> Facts:
        """After D's move: its constraint holds again; what D said is remembered, and told."""
        self.constraint.project(self.D.net)
        real, fake = (torch.cat(outputs) for outputs in zip(*self._heard, strict=True))
        self.outputs = {"D/real": real, "D/fake": fake}
        self._heard.clear()
        told: Facts = {}
        for name, component in self.memories.items():
            component.remember(real, fake)
            told |= {f"{name}/{key}": value for key, value in component.memory.items()}
        return told

    @property
    def memories(self) -> dict[str, Remembers]:
        """The components with a state of their own, by name."""
        parts = {"loss": self.loss} | {f"penalty/{n}": part for n, part in self.penalties.items()}
        # asking for the attribute is a hundred times cheaper than for the protocol
        return {n: cast(Remembers, part) for n, part in parts.items() if hasattr(part, "remember")}

    def forget(self) -> None:
        """What D said since its last move was said of a trial, and counts for nothing."""
        self._heard.clear()

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as named tensors."""
        tensors: dict[str, Tensor] = {}
        for name, player in self.players.items():
            tensors |= player.state(name)
        for name, part in self.memories.items():
            tensors |= {f"memory/{name}/{key}": value for key, value in part.memory.items()}
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `state` gave; KeyError and RuntimeError where it can't be."""
        for name, player in self.players.items():
            player.restore(name, tensors)
        for name, part in self.memories.items():
            recall(f"memory/{name}", part, tensors)

    def seen(self, real: Batch, fake: Batch, d_real: Tensor, d_fake: Tensor) -> Seen:
        """What penalties get to see: D in full precision, and nothing that leads to G."""
        if fake.x.requires_grad and self.penalties:
            fake = Batch(fake.x.detach(), fake.c)
            d_fake = self.judge(fake)
        return Seen(self.D.net, real, fake, d_real, d_fake)

    def look(self, batch: Batch) -> Batch:
        """What D gets to see of a batch."""
        return Batch(self.augment(batch.x), batch.c)

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


def named(facts: Facts, player: str) -> Facts:
    """Facts with the player's name behind those that both players have."""
    return {f"{k}/{player}" if k in ("loss", "grad_norm") else k: v for k, v in facts.items()}
