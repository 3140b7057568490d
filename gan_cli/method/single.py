"""What methods have in common in which nobody plays against anybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from gan_cli.facts import Facts
from gan_cli.guard import Guard
from gan_cli.memory import Remembers, recall
from gan_cli.player import Player


class Single:
    """Players that all descend, and their state; what they descend is the method's own."""

    def __init__(self, players: dict[str, Player], accumulate: int = 1):
        self.players, self.accumulate = players, accumulate
        self.outputs: dict[str, Tensor] = {}
        self.guard: Guard | None = None
        for name, player in players.items():
            player.name = name

    def careful(self) -> None:
        """From now on no update is made that is not of numbers."""
        self.guard = Guard(self.players, self.memories)

    def turn(self, play: Callable[[], Facts], *players: Player) -> Facts:
        """What an update of these players tells; nothing where it was not made."""
        return play() if self.guard is None else self.guard.turn(play, players, self.forget)

    def kept(self) -> dict[str, Tensor]:
        """The state as it is now, which does not move with the players."""
        return {name: tensor.clone() for name, tensor in self.state().items()}

    def forget(self) -> None:
        """What was noted of an update that was not made counts for nothing."""

    @property
    def batches_per_step(self) -> int:
        """One."""
        return 1

    @property
    def images(self) -> int:
        """Images of the data that have been learnt from."""
        return next(iter(self.players.values())).images

    @property
    def parts(self) -> dict[str, Any]:
        """The components whose numbers can change during a run: none."""
        return {}

    @property
    def memories(self) -> dict[str, Remembers]:
        """The components with a state of their own: none."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as named tensors."""
        tensors: dict[str, Tensor] = {}
        for name, player in self.players.items():
            tensors |= player.state(name)
        for name, part in self.memories.items():
            tensors |= {f"memory/{name}/{key}": value for key, value in part.memory.items()}
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `state` gave; KeyError and RuntimeError where it can't be."""
        for name, player in self.players.items():
            player.restore(name, tensors)
        for name, part in self.memories.items():
            recall(f"memory/{name}", part, tensors)
