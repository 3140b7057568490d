"""The generative adversarial network: Algorithm 1 of Goodfellow et al. 2014, arXiv 1406.2661."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from gan_cli import dist
from gan_cli.auxiliary import Heard
from gan_cli.batch import Batch
from gan_cli.condition import mismatch
from gan_cli.constraint.clip import Clip
from gan_cli.errors import UserMistake
from gan_cli.facts import Facts, in_turn, named
from gan_cli.memory import Remembers
from gan_cli.method.critic import Critic
from gan_cli.method.game import Game
from gan_cli.method.single import Single
from gan_cli.model import Generator
from gan_cli.penalty import Seen
from gan_cli.player import Player
from gan_cli.term import Played

Said = tuple[Tensor, dict[str, Tensor]]
"""What D says of a batch: its raw outputs, and what its heads guess by name."""


class GAN(Single):
    """G against D in alternation, each in turn with the other held fixed.

    D's step draws its fakes with G in training mode, as is customary: if G has batch norm, its
    running statistics move then too; its weights do not.
    """

    def __init__(self, G: Player, D: Player, game: Game):
        super().__init__({"G": G, "D": D}, game.accumulate)
        self.G, self.D = G, D
        self.z_dim = cast(Generator, G.net).z_dim
        self.loss, self.penalties, self.constraint = game.loss, game.penalties, game.constraint
        self.augment, self.turns = game.augment, game.turns
        self.prior, self.terms, self.auxiliaries = game.prior, game.terms, game.auxiliaries
        self.classes = game.wrong_among
        self.critic = Critic(D)
        self._heard: list[tuple[Tensor, Tensor]] = []
        self._lent: list[Batch] = []

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
        updates: list[Facts] = []
        self._lent.clear()
        for real in batches:
            if step >= self.turns.head_start_g:
                updates.append(self.d_step(real))
        if step >= self.turns.head_start_d:
            updates += [self.g_step(real) for _ in range(self.turns.generator)]
        return in_turn(updates)

    def d_step(self, real: Batch) -> Facts:
        """D learns to tell real from fake; G is held fixed."""
        return self.turn(lambda: self._d_step(real), self.D)

    def _d_step(self, real: Batch) -> Facts:
        facts = self.D.descend(self.d_loss, real, self.accumulate)
        return named(facts, "d") | self.settle()

    def g_step(self, real: Batch) -> Facts:
        """G learns to pass for real; D is held fixed."""
        descend = self.G.descend
        return self.turn(lambda: named(descend(self.g_loss, real, self.accumulate), "g"), self.G)

    def d_loss(self, real: Batch, fake: Batch | None = None) -> tuple[Tensor, Facts]:
        """What D minimises on each sample, `(N,)`: its side of the game, and what else it pays."""
        if fake is None:
            fake = self.drawn(real)
        real, fake = self.look(real), self.look(fake)
        (d_real, guess_real), (d_fake, guess_fake) = self.hear_both(real, fake)
        game = self.play(self.loss.d, d_real, d_fake)
        if self.classes is not None:  # a right sample with a wrong condition counts as fake
            d_wrong = self.judge(self.mismatched(real))
            game = (game + self.play(self.loss.d, d_real, d_wrong)) / 2
        facts = {"loss": game.mean(), "D/real": d_real.mean(), "D/fake": d_fake.mean()}
        self._heard.append((_per_sample(d_real).detach(), _per_sample(d_fake).detach()))
        for name, auxiliary in self.auxiliaries.items():
            heard = Heard(real, fake, guess_real[name], guess_fake[name], self.prior)
            paid = auxiliary.d(heard)
            game = game + _each(auxiliary, paid, real)
            facts[f"auxiliary/{name}/d"] = paid.mean()
        seen = self.seen(real, fake, d_real, d_fake)
        for name, penalty in self.penalties.items():
            if self.D.updates % penalty.every == 0:
                paid = penalty(seen)
                game = game + penalty.every * _each(penalty, paid, real)
                facts[f"penalty/{name}"] = paid.mean()
        return game, {name: fact.detach() for name, fact in facts.items()}

    def g_loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """What G minimises on each sample, `(N,)`: its side of the game, and what else it pays."""
        fake = self._lent.pop(0) if self._lent else self.fake(real)
        shown = self.look(fake)
        d_fake, guess = self.hear(shown)
        d_real = self.judge(self.look(real)) if self.loss.relative else None
        game = self.play(self.loss.g, d_real, d_fake)
        facts = {"loss": game.mean()}
        game = self.turns.best(game, _per_sample(d_fake))
        for name, auxiliary in self.auxiliaries.items():
            paid = auxiliary.g(shown, guess[name], self.prior)
            game = game + _each(auxiliary, paid, real)
            facts[f"auxiliary/{name}/g"] = paid.mean()
        played = Played(self.G.net, self.D.net, real, fake)
        for name, term in self.terms.items():
            if self.G.updates % term.every == 0:
                paid = term(played)
                game = game + term.every * _each(term, paid, real)
                facts[f"term/{name}"] = paid.mean()
        return game, {name: fact.detach() for name, fact in facts.items()}

    def settle(self) -> Facts:
        """After D's move: its constraint holds again; what D said is remembered, and told."""
        self.constraint.project(self.D.net)
        real, fake = (torch.cat(outputs) for outputs in zip(*self._heard, strict=True))
        self.outputs = {"D/real": real, "D/fake": fake}
        self._heard.clear()
        told: Facts = {}
        for name, component in self.memories.items():
            if hasattr(component, "remember"):
                component.remember(dist.whole(real), dist.whole(fake))
            facts = {k: v for k, v in component.memory.items() if not k.startswith("_")}
            told |= {f"{name}/{key}": value for key, value in facts.items()}
        return told

    @property
    def parts(self) -> dict[str, Any]:
        """The components whose numbers can change during a run, by the name of their key."""
        held = {"constraint": self.constraint} if isinstance(self.constraint, Clip) else {}
        lists: dict[str, dict[str, Any]] = {
            "penalty": self.penalties,
            "term": self.terms,
            "auxiliary": self.auxiliaries,
        }
        named = {f"{kind}.{n}": part for kind, parts in lists.items() for n, part in parts.items()}
        return {"loss": self.loss, "augment": self.augment} | named | held

    @property
    def memories(self) -> dict[str, Remembers]:
        """The components with a state of their own, by name."""
        # asking for the attribute is a hundred times cheaper than for the protocol
        kept = {n: part for n, part in self.parts.items() if hasattr(part, "memory")}
        return {name.replace(".", "/"): cast(Remembers, part) for name, part in kept.items()}

    def forget(self) -> None:
        """What D said since its last move was said of a trial, and counts for nothing."""
        self._heard.clear()

    def seen(self, real: Batch, fake: Batch, d_real: Tensor, d_fake: Tensor) -> Seen:
        """What penalties get to see: D in full precision, and nothing that leads to G."""
        if fake.x.requires_grad and self.penalties:
            fake = replace(fake, x=fake.x.detach())
            d_fake = self.judge(fake)
        return Seen(self.critic.net, real, fake, _per_sample(d_real), _per_sample(d_fake))

    def look(self, batch: Batch) -> Batch:
        """What D gets to see of a batch."""
        return replace(batch, x=self.augment(batch.x))

    def mismatched(self, batch: Batch) -> Batch:
        """The samples under conditions that are not theirs."""
        assert batch.c is not None
        return replace(batch, c=mismatch(batch.c, self.classes or 0))

    def fake(self, like: Batch) -> Batch:
        """As many samples from G, under the same conditions."""
        z = dist.own(lambda n: self.prior(n, self.z_dim, like.x.device), len(like))
        x = self.G(z, like.c)
        if x.shape != like.x.shape:
            raise UserMistake(f"G makes {tuple(x.shape)} where the data are {tuple(like.x.shape)}")
        return Batch(x, like.c, z)

    def drawn(self, like: Batch) -> Batch:
        """Fakes for D to learn from; with `share_fakes`, G's next step learns from them too."""
        if not self.turns.share:
            with torch.no_grad():
                return self.fake(like)
        if len(self._lent) == self.accumulate:
            self._lent.clear()  # those of D's update before
        self._lent.append(lent := self.fake(like))
        return replace(lent, x=lent.x.detach())

    def judge(self, batch: Batch) -> Tensor:
        """D's raw outputs on a batch, `(N,)`; of a D that judges patches, `(N, P)`."""
        return self.critic.checked(self.D(batch.x, batch.c), len(batch))

    def hear(self, batch: Batch) -> Said:
        """D's raw outputs on a batch, and what its heads guess, `(N, guesses)` by name."""
        return self._heard_of(self._ask(batch.x, batch.c), len(batch))

    def hear_both(self, real: Batch, fake: Batch) -> tuple[Said, Said]:
        """What D says of both: in one pass, where it judges each sample by itself."""
        if not self.critic.alone:
            return self.hear(real), self.hear(fake)
        c = None if real.c is None or fake.c is None else torch.cat([real.c, fake.c])
        output, guesses = self._ask(torch.cat([real.x, fake.x]), c)
        n = len(real)
        told = {name: guess[:n] for name, guess in guesses.items()}
        told_fake = {name: guess[n:] for name, guess in guesses.items()}
        return (
            self._heard_of((output[:n], told), n),
            self._heard_of((output[n:], told_fake), len(fake)),
        )

    def _ask(self, x: Tensor, c: Tensor | None) -> Said:
        if not self.auxiliaries:
            return self.D(x, c), {}
        with self.D.precision():
            output, guesses = self.critic.both(x, c)
        return output, {name: guess.to(output.dtype) for name, guess in guesses.items()}

    def _heard_of(self, said: Said, n: int) -> Said:
        return self.critic.checked(said[0], n), said[1]

    def play(self, side: Callable[..., Tensor], real: Tensor | None, fake: Tensor) -> Tensor:
        """One side of the loss on each sample, `(N,)`: of patches, their mean."""
        flat, flat_fake = None if real is None else real.flatten(), fake.flatten()
        if not hasattr(self.loss, "crosses"):  # ten times as quick as to ask for a Crossing
            paid = side(flat, flat_fake)
        else:  # each sample is held against the whole batch, wherever the others are
            paid = side(None if flat is None else dist.whole(flat), dist.whole(flat_fake))
            paid = dist.rows(paid) if paid.dim() else paid
        if paid.shape != (fake.numel(),):
            name, shape = type(self.loss).__name__, tuple(paid.shape)
            raise UserMistake(f"{name} gives {shape} for a batch of {len(fake)}, not one a sample")
        return _per_sample(paid.view_as(fake))


def _per_sample(outputs: Tensor) -> Tensor:
    """One number a sample, `(N,) or (N, P) -> (N,)`."""
    return outputs if outputs.dim() == 1 else outputs.mean(1)


def _each(source: object, values: Tensor, batch: Batch) -> Tensor:
    """The values, if there is one for each sample: anything else would be averaged wrongly."""
    if values.shape != (len(batch),):
        name, shape = type(source).__name__, tuple(values.shape)
        raise UserMistake(f"{name} gives {shape} for a batch of {len(batch)}, not one a sample")
    return values
