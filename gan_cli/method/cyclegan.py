"""CycleGAN: two games that undo each other, for pictures of two kinds with no pair among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from gan_cli.condition.unseen import Unseen
from gan_cli.errors import UserMistake
from gan_cli.method.kit import GAME, Kit
from gan_cli.method.two_games import TwoGames
from gan_cli.space import Space


@dataclass(frozen=True)
class CycleGAN:
    """G makes b of a and F makes a of b; each has its own D, and what goes there comes back.

    Zhu et al. 2017, arXiv 1703.10593, equation 3: both games, and `cycle` times
    |F(G(a)) - a| + |G(F(b)) - b| (equation 2, the mean over the pixels); with `identity`
    |G(b) - b| + |F(a) - a| besides (section 5.2, for colours, half of `cycle`). D judges b and D_A
    judges a, neither is told what a sample was made from. Every component of the game is there
    twice; G and F learn at once. The paper's pool of 50 older fakes for D is left out.

    Needs: task=unpaired, and a model that makes images from images: model=unet.
    Trouble: pictures that stay as they are: a smaller cycle. Pictures that become any other of the
    kind: a larger one, or method.identity=5.0 where both kinds have colours in common.
    """

    uses: ClassVar[frozenset[str]] = GAME - frozenset(
        "condition auxiliary term dynamics freeze_d".split()
    )

    cycle: float = 10.0
    identity: float = 0.0

    def __post_init__(self) -> None:
        if self.cycle < 0 or self.identity < 0:
            raise ValueError(f"cycle={self.cycle}, identity={self.identity}: none can be negative")

    def make(self, kit: Kit) -> TwoGames:
        """Both games. UserMistake when parts don't go together."""
        a, b = kit.space.given, kit.space.shape
        if a is None or kit.space.paired:
            raise UserMistake(
                "method: cyclegan learns from pictures of two kinds, with no pair among them: "
                "task=unpaired"
            )
        if self.identity and a != b:
            raise UserMistake(
                f"method.identity: pictures of {a} and {b} can't be compared: method.identity=0.0"
            )
        kit = replace(kit, condition=Unseen(), terms={}, auxiliaries={})
        return TwoGames(self, kit, replace(kit, space=Space(a, given=b, paired=False)))
