"""What a method is put together from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

import torch
from torch import nn

from gan_cli.augment import Augment
from gan_cli.auxiliary import Auxiliary
from gan_cli.average import Averaging
from gan_cli.condition import Condition
from gan_cli.constraint import Constraint
from gan_cli.errors import UserMistake
from gan_cli.loss import Loss
from gan_cli.method import Method
from gan_cli.method.turns import Turns
from gan_cli.model import Generator, Model
from gan_cli.optimizer import Optimizer
from gan_cli.penalty import Penalty
from gan_cli.player import Player
from gan_cli.prior import Prior
from gan_cli.space import Space
from gan_cli.term import Term
from gan_cli.warm import freeze

T = TypeVar("T")


@dataclass(frozen=True)
class Kit:
    """The components of a run, and what they are to be put together for.

    `length` is the number of samples of the data, None when they never end; `batch_size` how many
    make a batch; `judge` the family that D is of, where that isn't the model's own; `frozen` the
    number of D's lowest layers that stay as they are.
    """

    space: Space
    length: int | None
    batch_size: int
    device: torch.device
    model: Model
    judge: Model
    prior: Prior
    condition: Condition
    auxiliaries: dict[str, Auxiliary]
    terms: dict[str, Term]
    loss: Loss
    penalties: dict[str, Penalty]
    constraint: Constraint
    augment: Augment
    turns: Turns
    optimizer: Optimizer
    averaging: Averaging | None
    clip_grad: float | None
    accumulate: int
    pack: int
    frozen: int

    def generator(self, paired: bool = True) -> Generator:
        """A new G for the task, on the CPU; UserMistake when the family can't make it.

        `paired` says that it is to learn from samples that belong to what it is given.
        """
        if paired and not self.space.paired:
            raise UserMistake(
                "task: its samples are no answers to what is given with them: method=cyclegan"
            )
        net = made("model", lambda: self.condition.generator(self.model, self.space))
        if reason := self.prior.refuses(net.z_dim):
            raise UserMistake(f"prior: {reason}")
        return net

    def learner(self, net: nn.Module, averaged: bool = False) -> Player:
        """A player of this network, at G's learning rate."""
        return self._player(net, self.optimizer.lr, averaged)

    def critic(self, net: nn.Module) -> Player:
        """A player of this network, at D's learning rate, its lowest layers kept as they are."""
        made("freeze_d", lambda: freeze(net, self.frozen))
        d_lr = self.optimizer.d_lr
        return self._player(net, self.optimizer.lr if d_lr is None else d_lr, False)

    def _player(self, net: nn.Module, lr: float, averaged: bool) -> Player:
        average = self.averaging if averaged else None
        net = net.to(self.device)
        return Player(net, self.optimizer, lr, average, self.clip_grad)


class Recipe(Protocol):
    """A way to put a method together; frozen, its fields plain numbers and words."""

    uses: ClassVar[frozenset[str]]
    """The groups and root keys that mean something to it, of those in GAME."""

    def make(self, kit: Kit) -> Method:
        """The method, ready to learn. UserMistake when parts don't go together."""
        ...


GAME = frozenset(
    """loss penalty constraint augment dynamics discriminator auxiliary condition term prior model
    optimizer n_critic n_generator pack top_k share_fakes head_start critic_norm accumulate
    clip_grad ema freeze_d""".split()
)
"""Groups and root keys that not every method has a use for."""


def made(group: str, make: Callable[[], T]) -> T:
    """What is made, its ValueError told as a mistake of the user's."""
    try:
        return make()
    except ValueError as error:
        raise UserMistake(f"{group}: {error}") from error
