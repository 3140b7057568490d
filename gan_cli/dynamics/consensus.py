"""Consensus optimisation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli import dist
from gan_cli.batch import Batch
from gan_cli.dynamics import move_both, one_plays, only_at_once
from gan_cli.facts import Facts, named
from gan_cli.method.gan import GAN
from gan_cli.player import check


@dataclass(frozen=True)
class Consensus:
    """Both players also pay for the length of the two gradients together: v + γ ∇ ½‖v‖².

    Mescheder et al. 2017, arXiv 1705.10461, Algorithm 1: v holds D's gradient in D's weights and
    G's in G's, and ½‖v‖² is differentiated in the weights of both. Where v is a rotation that only
    circles, this pulls inwards. γ = 10 is the paper's. What a penalty measures at the fakes is
    differentiated in D's weights alone.

    Needs: one turn each, `n_critic=1 n_generator=1`, and the batch in one piece, `accumulate=1`;
    it differentiates twice through both networks, at about three times the cost and memory.

    Trouble: with γ too large v is small and neither learns: `dynamics.gamma=1.0`. It is drawn to
    any point where both gradients vanish, a bad one too: `penalty=r1` instead.
    """

    gamma: float = 10.0

    def __post_init__(self) -> None:
        if self.gamma < 0:
            raise ValueError(f"gamma can't be negative: {self.gamma}")

    def step(self, gan: GAN, batches: Iterable[Batch], step: int) -> Facts:
        """Both gradients and those of ½‖v‖², then both moves; in a head start one player alone."""
        if one_plays(gan, step):
            return gan.step(batches, step)
        (real,) = batches
        return gan.turn(lambda: self.both(gan, real), gan.D, gan.G)

    def both(self, gan: GAN, real: Batch) -> Facts:
        """Both moves on a batch."""
        d_losses, d_facts = gan.d_loss(real, gan.fake(real))
        g_losses, g_facts = gan.g_loss(real)
        v = [
            *_slopes(d_losses.mean(), gan.D.weights, again=True),
            *_slopes(g_losses.mean(), gan.G.weights, again=True),
        ]
        v = dist.mean(v)
        energy = torch.stack([slope.square().sum() for slope in v]).sum() / 2
        pull = dist.mean(_slopes(energy, [*gan.D.weights, *gan.G.weights]))
        field = torch._foreach_add([slope.detach() for slope in v], pull, alpha=self.gamma)
        d, g = list(field[: len(gan.D.weights)]), list(field[len(gan.D.weights) :])
        facts = named(d_facts, "d") | named(g_facts, "g") | {"consensus": energy.detach()}
        check([gan.D, gan.G], [d, g], facts)
        return facts | move_both(gan, d, g, len(real))

    def refuses(self, gan: GAN) -> str | None:
        """Unequal turns, and a batch in parts, whose gradient is not known before the last."""
        if gan.accumulate > 1:
            return "consensus needs the gradient of the whole batch at once: accumulate=1"
        return only_at_once(gan)


def _slopes(value: Tensor, weights: list[nn.Parameter], again: bool = False) -> tuple[Tensor, ...]:
    return torch.autograd.grad(
        value, weights, create_graph=again, allow_unused=True, materialize_grads=True
    )
