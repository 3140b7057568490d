"""How a game is put together from its components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gan_cli.method.gan import GAN
from gan_cli.method.kit import GAME, Kit
from gan_cli.method.rules import d_net, misheard, mixed_up, refuse, rules, torn_apart


@dataclass(frozen=True)
class Adversarial:
    """A generator and a discriminator, as in Goodfellow et al. 2014, arXiv 1406.2661.

    Needs: nothing; everything else of the command says what game it is.
    Trouble: see the loss: gan explain loss=nonsaturating.
    """

    uses: ClassVar[frozenset[str]] = GAME

    def make(self, kit: Kit) -> GAN:
        """Both players and the rules. UserMistake when parts don't go together."""
        G = kit.learner(kit.generator(), averaged=True)
        D = kit.critic(kit.constraint.wrap(d_net(kit)))
        for name, term in kit.terms.items():
            refuse(f"term.{name}", term.refuses(G.net, D.net, kit.space))
        refuse("auxiliary", mixed_up(kit, G.net))
        refuse("augment", torn_apart(kit))
        refuse("augment", misheard(kit))
        return GAN(G, D, rules(kit))
