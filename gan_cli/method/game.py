"""The rules of a game: everything but its players."""

from __future__ import annotations

from dataclasses import dataclass, field

from gan_cli.augment import Augment
from gan_cli.augment.none import NoAugment
from gan_cli.auxiliary import Auxiliary
from gan_cli.constraint import Constraint
from gan_cli.constraint.free import Free
from gan_cli.loss import Loss
from gan_cli.method.turns import Turns
from gan_cli.penalty import Penalty
from gan_cli.prior import Prior
from gan_cli.prior.normal import Normal
from gan_cli.term import Term


@dataclass(frozen=True)
class Game:
    """What G and D play for, and what each pays besides.

    With `wrong_among` a right sample with a wrong condition counts as fake: another of so many
    labels, or with 0 another sample's image. The batch can be taken in `accumulate` parts.
    """

    loss: Loss
    penalties: dict[str, Penalty] = field(default_factory=dict)
    constraint: Constraint = field(default_factory=Free)
    augment: Augment = field(default_factory=NoAugment)
    turns: Turns = field(default_factory=Turns)
    prior: Prior = field(default_factory=Normal)
    terms: dict[str, Term] = field(default_factory=dict)
    auxiliaries: dict[str, Auxiliary] = field(default_factory=dict)
    wrong_among: int | None = None
    accumulate: int = 1

    def __post_init__(self) -> None:
        if self.accumulate < 1:
            raise ValueError(f"accumulate is a number of parts, 1 or more, not {self.accumulate}")
