"""Regression: G alone, learning the right answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from gan_cli import dist
from gan_cli.batch import Batch
from gan_cli.errors import UserMistake
from gan_cli.facts import Facts
from gan_cli.memory import Remembers
from gan_cli.method.kit import Kit
from gan_cli.method.single import Single
from gan_cli.model import Generator
from gan_cli.player import Player
from gan_cli.term import Played


@dataclass(frozen=True)
class Regression:
    """G pays its terms and nobody judges: the answer before GANs, blurred where several are right.

    With term=l2 it learns the mean of all right answers (Mathieu et al. 2015, arXiv 1511.05440,
    section 3.2), with term=l1 their median.

    Needs: a task with right answers (task=superres), and a term that compares with them.
    Trouble: blurred answers: that is what it shows; method=gan beside the same term.
    """

    uses: ClassVar[frozenset[str]] = frozenset(
        "term condition prior model optimizer accumulate clip_grad ema".split()
    )

    def make(self, kit: Kit) -> Answers:
        """G and its terms. UserMistake when there is nothing to learn from."""
        if not kit.terms:
            raise UserMistake("method=regression: from what is G to learn? term=l2, or term=l1")
        G = kit.learner(kit.generator(), averaged=True)
        for name, term in kit.terms.items():
            if reason := term.refuses(G.net, None, kit.space):
                raise UserMistake(f"term.{name}: {reason}")
        return Answers(G, kit)


class Answers(Single):
    """G, descending the terms that compare with the right answers."""

    def __init__(self, G: Player, kit: Kit):
        super().__init__({"G": G}, kit.accumulate)
        self.G, self.terms, self.prior = G, kit.terms, kit.prior
        self.z_dim = cast(Generator, G.net).z_dim

    @property
    def generator(self) -> nn.Module:
        """G's average, or G where there is none."""
        return self.G.best

    @property
    def parts(self) -> dict[str, Any]:
        """The terms."""
        return {f"term.{name}": term for name, term in self.terms.items()}

    @property
    def memories(self) -> dict[str, Remembers]:
        """The terms with a state of their own."""
        kept = {name: part for name, part in self.parts.items() if hasattr(part, "memory")}
        return {name.replace(".", "/"): cast(Remembers, part) for name, part in kept.items()}

    def step(self, batches: Iterable[Batch], step: int) -> Facts:
        """One step down what the terms charge."""
        (real,) = batches
        return self.turn(lambda: self.G.descend(self.loss, real, self.accumulate), self.G)

    def loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """What G pays for each sample, `(N,)`."""
        z = dist.own(lambda n: self.prior(n, self.z_dim, real.x.device), len(real))
        played = Played(self.G.net, None, real, Batch(self.G(z, real.c), real.c, z))
        paid = {n: t(played) for n, t in self.terms.items() if self.G.updates % t.every == 0}
        total = sum((self.terms[n].every * p for n, p in paid.items()), real.x.new_zeros(len(real)))
        facts = {f"term/{name}": one.mean() for name, one in paid.items()} | {"loss": total.mean()}
        return total, {name: fact.detach() for name, fact in facts.items()}
