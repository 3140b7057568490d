"""Unrolled discriminators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli import dist
from gan_cli.batch import Batch
from gan_cli.dynamics import one_plays
from gan_cli.facts import Facts, in_turn, named
from gan_cli.method.gan import GAN


@dataclass(frozen=True)
class Unrolled:
    """G answers D as it will be after `steps` of gradient descent, and knows how D gets there.

    Metz et al. 2016, arXiv 1611.02163, equations 7 to 11: G's gradient goes through those steps,
    so that G feels how D would react to what it does. Then D forgets them; its own step is an
    ordinary one, and with steps=0 all is. The steps ahead are plain gradient descent at rate `lr`
    on one batch, with no constraint projected; penalties are paid there too (lazy ones in all of
    the steps ahead or in none), but send nothing to G. 5 steps are the paper's.

    Needs: a D that can be differentiated twice. A step of G costs about 2·`steps` more of D's. A
    batch in parts (`accumulate`) looks ahead in each part by itself.

    Trouble: if it changes nothing, D hardly moves in its steps ahead: `dynamics.lr=0.03`; if
    `grad_norm/g` explodes, too far: `dynamics.lr=0.001` or `dynamics.steps=1`. Against collapsed
    modes at less cost: `penalty=r1`, `pack=2`.
    """

    steps: int = 5
    lr: float = 0.01

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps is a number of D's updates ahead, 0 or more, not {self.steps}")
        if self.lr <= 0:
            raise ValueError(f"lr must be positive, not {self.lr}")

    def step(self, gan: GAN, batches: Iterable[Batch], step: int) -> Facts:
        """D's ordinary step on each batch, then G's through D's steps ahead."""
        if one_plays(gan, step):
            return gan.step(batches, step)
        updates = [gan.d_step(last := real) for real in batches]
        turns = range(gan.turns.generator)
        updates += [gan.turn(lambda: self.g_step(gan, last), gan.G) for _ in turns]
        gan.forget()
        return in_turn(updates)

    def g_step(self, gan: GAN, real: Batch) -> Facts:
        """G's step against D as it will be."""
        told = gan.G.descend(lambda part: self.g_loss(gan, part), real, gan.accumulate)
        return named(told, "g")

    def g_loss(self, gan: GAN, real: Batch) -> tuple[Tensor, Facts]:
        """What G minimises on each sample, `(N,)`, against D as it will be."""
        with gan.D.borrow(self.ahead(gan, real)):
            return gan.g_loss(real)

    def ahead(self, gan: GAN, real: Batch) -> dict[str, Tensor]:
        """D's weights after its steps ahead, as functions of G's weights and its own."""
        weights: dict[str, Tensor] = {
            name: weight for name, weight in gan.D.net.named_parameters() if weight.requires_grad
        }
        fake = gan.fake(real) if self.steps else real
        for _ in range(self.steps):
            with gan.D.borrow(weights):
                losses, _ = gan.d_loss(real, fake)
            slopes = torch.autograd.grad(
                losses.mean(),
                list(weights.values()),
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            moved = torch._foreach_add(list(weights.values()), dist.mean(slopes), alpha=-self.lr)
            weights = dict(zip(weights, moved, strict=True))
        return weights

    def refuses(self, gan: GAN) -> str | None:
        """Nothing is refused."""
        return None
