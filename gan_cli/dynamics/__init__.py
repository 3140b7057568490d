"""Dynamics: how the two players move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.facts import Facts, named
from gan_cli.method.gan import GAN


class Dynamics(Protocol):
    """The order and the manner in which G and D follow their gradients."""

    def step(self, gan: GAN, batches: Iterable[Batch], step: int) -> Facts:
        """Let everyone learn once; step counts from 0."""
        ...

    def refuses(self, gan: GAN) -> str | None:
        """Why this game can't be played so, and what to type instead; None if it can."""
        ...


def one_plays(gan: GAN, step: int) -> bool:
    """Whether one player still has a head start: then there is no game, and GAN.step is all."""
    return step < max(gan.turns.head_start_d, gan.turns.head_start_g)


def only_at_once(gan: GAN) -> str | None:
    """The refusal of turns, where both players move at the same time."""
    if (gan.turns.critic, gan.turns.generator) == (1, 1):
        return None
    return (
        "both players move at once, so that neither can have more turns than the other: "
        "n_critic=1 n_generator=1, or dynamics=alternating"
    )


def gradients(gan: GAN, real: Batch) -> tuple[list[Tensor], list[Tensor], Facts]:
    """D's and G's gradients, both where the players are now, and what was told."""
    d, d_facts = gan.D.gradient(gan.d_loss, real, gan.accumulate)
    g, g_facts = gan.G.gradient(gan.g_loss, real, gan.accumulate)
    return d, g, named(d_facts, "d") | named(g_facts, "g")


def move_both(gan: GAN, d: list[Tensor], g: list[Tensor], images: int) -> Facts:
    """Both players move, each along its gradient."""
    facts = named(gan.D.move(d, images), "d") | gan.settle()
    return facts | named(gan.G.move(g, images), "g")
