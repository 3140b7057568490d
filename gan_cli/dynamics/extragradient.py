"""The extragradient method."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.dynamics import gradients, move_both, one_plays, only_at_once
from gan_cli.facts import Facts, in_turn, named
from gan_cli.guard import NotMade
from gan_cli.method.gan import GAN


@dataclass(frozen=True)
class Extragradient:
    """Both look one step ahead, take the gradient there, and move by it from where they were.

    Korpelevich 1976; Gidel et al. 2018, arXiv 1802.10551, equations 9 and 10. The step ahead is
    the optimiser's own, moments included: with Adam this is the paper's Algorithm 4 (ExtraAdam),
    in which Adam counts two steps for each of the players'. Both gradients are of the same real
    samples; G draws new codes. The step ahead is no update: it moves no average and counts no
    images. In the game min max xy the distance to the equilibrium shrinks by sqrt(1 - h² + h⁴).

    Needs: one turn each: `n_critic=1 n_generator=1`. A step takes twice the time.

    Trouble: a rate that suits alternation may be too small, for the players no longer run around:
    `optimizer.lr=1e-3`. With batches of few samples the look ahead is noise: `batch_size=256`.
    """

    def step(self, gan: GAN, batches: Iterable[Batch], step: int) -> Facts:
        """A step ahead, the gradients there, and both moves; in a head start one player alone."""
        if one_plays(gan, step):
            return gan.step(batches, step)
        (real,) = batches
        return gan.turn(lambda: self.both(gan, real), gan.D, gan.G)

    def both(self, gan: GAN, real: Batch) -> Facts:
        """The step ahead and both moves on a batch."""
        weights: list[Tensor] = [*gan.D.weights, *gan.G.weights]
        here = [weight.detach().clone() for weight in weights]
        kept = gan.kept() if gan.guard else {}
        d, g, ahead = gradients(gan, real)
        ahead |= named(gan.D.push(d), "d") | named(gan.G.push(g), "g")
        gan.constraint.project(gan.D.net)
        gan.forget()
        try:
            d, g, facts = gradients(gan, real)
        except NotMade:
            gan.restore(kept)  # the optimisers have made their step ahead
            raise
        with torch.no_grad():
            torch._foreach_copy_(weights, here)
        return in_turn([ahead, facts | move_both(gan, d, g, len(real))])

    def refuses(self, gan: GAN) -> str | None:
        """Unequal turns."""
        return only_at_once(gan)
