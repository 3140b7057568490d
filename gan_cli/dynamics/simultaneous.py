"""The players move at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gan_cli.batch import Batch
from gan_cli.dynamics import gradients, move_both, one_plays, only_at_once
from gan_cli.facts import Facts
from gan_cli.method.gan import GAN


@dataclass(frozen=True)
class Simultaneous:
    """Both gradients are taken where the players are, and then both move.

    The dynamics of theory, a step along one vector field (Mescheder et al. 2018, arXiv 1801.04406,
    section 2), and the plainest of all. In the game min max xy with gradient descent at rate h the
    distance to the equilibrium grows by sqrt(1 + h²) a step.

    Needs: one turn each: `n_critic=1 n_generator=1`.

    Trouble: losses that swing ever wider; alternation at least does not spiral out:
    `dynamics=alternating`. What brings both home is `penalty=r1`, `dynamics=extragradient` or
    `optimizer=optimistic_adam`.
    """

    def step(self, gan: GAN, batches: Iterable[Batch], step: int) -> Facts:
        """Both gradients, then both moves; in a head start one player alone."""
        if one_plays(gan, step):
            return gan.step(batches, step)
        (real,) = batches
        return gan.turn(lambda: self.both(gan, real), gan.D, gan.G)

    def both(self, gan: GAN, real: Batch) -> Facts:
        """Both moves on a batch."""
        d, g, facts = gradients(gan, real)
        return facts | move_both(gan, d, g, len(real))

    def refuses(self, gan: GAN) -> str | None:
        """Unequal turns."""
        return only_at_once(gan)
