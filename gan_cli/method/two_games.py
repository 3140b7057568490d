"""Two games that undo each other: from pictures of one kind to the other, and back."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from torch import Tensor, nn

from gan_cli import dist
from gan_cli.batch import Batch
from gan_cli.facts import Facts, in_turn, named
from gan_cli.memory import Remembers
from gan_cli.method.gan import GAN
from gan_cli.method.kit import Kit
from gan_cli.method.rules import d_net, rules
from gan_cli.method.single import Single
from gan_cli.model import Generator
from gan_cli.player import Player, gradient
from gan_cli.prior import Prior
from gan_cli.space import Space
from gan_cli.term import Played, Term


class Prices(Protocol):
    """What the generators pay for each difference, the mean over the pixels."""

    @property
    def cycle(self) -> float:
        """Between a picture and what comes back of it."""
        ...

    @property
    def identity(self) -> float:
        """Between a picture of the right kind and what is made of it."""
        ...


class TwoGames(Single):
    """G against D over b, F against D_A over a, and what both generators pay together."""

    def __init__(self, recipe: Prices, forth: Kit, back: Kit):
        G, F = (kit.learner(kit.generator(paired=False), averaged=True) for kit in (forth, back))
        D, D_A = (kit.critic(kit.constraint.wrap(d_net(kit))) for kit in (forth, back))
        self.recipe, self.turns = recipe, forth.turns
        game = rules(forth)
        self.forth = GAN(G, D, replace(game, terms=_terms(recipe, F, game.prior)))
        again = copy.deepcopy(game)
        self.back = GAN(F, D_A, replace(again, terms=_terms(recipe, G, game.prior)))
        # last, for within its own game each is called G or D
        super().__init__({"G": G, "F": F, "D": D, "D_A": D_A}, forth.accumulate)

    @property
    def batches_per_step(self) -> int:
        """One batch of both kinds for each update of D and D_A."""
        return self.turns.critic

    @property
    def images(self) -> int:
        """Images of b that D has learnt from, and of a that D_A has."""
        return self.forth.images

    @property
    def generator(self) -> nn.Module:
        """The average of G, which makes b of a, or G where there is none."""
        return self.forth.generator

    @property
    def parts(self) -> dict[str, Any]:
        """The recipe, and the components of both games, by the name of their key."""
        return self.forth.parts | {"method": self.recipe}

    @property
    def memories(self) -> dict[str, Remembers]:
        """The components with a state of their own: what D said is one thing, D_A another."""
        pairs = {"D": self.forth, "D_A": self.back}
        return {f"{d}/{name}": p for d, gan in pairs.items() for name, p in gan.memories.items()}

    def step(self, batches: Iterable[Batch], step: int) -> Facts:
        """For k steps both D learn on a fresh batch; then both generators."""
        _follow(self.back.parts, self.forth.parts)
        updates: list[Facts] = []
        for real in batches:
            if step >= self.turns.head_start_g:
                told = self.forth.d_step(real) | _back(self.back.d_step(turned(real)))
                updates.append(told)
        if step >= self.turns.head_start_d:
            updates += [self.g_step(real) for _ in range(self.turns.generator)]
        said = self.back.outputs
        self.outputs = self.forth.outputs | {f"{name}/back": one for name, one in said.items()}
        return in_turn(updates)

    def g_step(self, real: Batch) -> Facts:
        """G and F learn at once, from one loss; both D are held fixed."""
        return self.turn(lambda: self._g_step(real), self.forth.G, self.back.G)

    def _g_step(self, real: Batch) -> Facts:
        G, F = self.forth.G, self.back.G
        (own, others), facts = gradient(self.g_loss, real, [G, F], self.accumulate)
        moved, moved_back = G.move(own, len(real)), F.move(others, len(real))
        return facts | named(moved, "g") | _back(named(moved_back, "g"))

    def careful(self) -> None:
        """From now on no update is made that is not of numbers, in neither game."""
        super().careful()
        self.forth.guard = self.back.guard = self.guard

    def forget(self) -> None:
        """What either D said of an update that was not made counts for nothing."""
        self.forth.forget()
        self.back.forget()

    def g_loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """What G and F minimise together on each pair of pictures, `(N,)`."""
        forth, facts = self.forth.g_loss(real)
        back, facts_back = self.back.g_loss(turned(real))
        return forth + back, named(facts, "g") | _back(named(facts_back, "g"))


@dataclass(frozen=True)
class Cycle:
    """λ |F(G(a)) - a|: what was made of a picture leads back to it. Equation 2 of the paper."""

    recipe: Prices
    other: Player
    prior: Prior
    every: int = 1

    def __call__(self, played: Played) -> Tensor:
        """The price of each sample, `(N,)`."""
        there, start = played.fake.x, played.real.c
        assert start is not None
        again = self.other(self.codes(there), there)
        return self.recipe.cycle * (again - start).abs().flatten(1).mean(1)

    def codes(self, a: Tensor) -> Tensor:
        """A code for each of these pictures."""
        return dist.own(lambda n: self.prior(n, _z_dim(self.other.net), a.device), len(a))

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """Nothing is refused."""
        return None


@dataclass(frozen=True)
class Identity:
    """μ |G(b) - b|: pictures of the right kind stay as they are. Section 5.2 of the paper."""

    recipe: Prices
    prior: Prior
    every: int = 1

    def __call__(self, played: Played) -> Tensor:
        """The price of each sample, `(N,)`."""
        G, b = played.G, played.real.x
        z = dist.own(lambda n: self.prior(n, _z_dim(G), b.device), len(b))
        same = G(z, b)
        return self.recipe.identity * (same.float() - b).abs().flatten(1).mean(1)

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """Nothing is refused."""
        return None


def _terms(recipe: Prices, other: Player, prior: Prior) -> dict[str, Term]:
    """What a generator pays beside its game; `other` leads back."""
    same: dict[str, Term] = {"identity": Identity(recipe, prior)} if recipe.identity else {}
    return {"cycle": Cycle(recipe, other, prior)} | same


def turned(batch: Batch) -> Batch:
    """The batch for the way back: what was given is what is made."""
    assert batch.c is not None
    return Batch(batch.c, batch.x)


def _z_dim(G: nn.Module) -> int:
    return cast(Generator, G).z_dim


def _back(facts: Facts) -> Facts:
    return {f"{name}/back": fact for name, fact in facts.items()}


def _follow(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Numbers that change during a run change in both games."""
    for name, part in ours.items():
        for field in dataclasses.fields(part):
            if field.init and theirs[name] is not part and not name.startswith("term."):
                object.__setattr__(theirs[name], field.name, getattr(part, field.name))
