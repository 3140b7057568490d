"""What methods have in common in which nobody plays against anybody."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gan_cli.memory import Remembers, recall
from gan_cli.player import Player


class Single:
    """Players that all descend, and their state; what they descend is the method's own."""

    def __init__(self, players: dict[str, Player], accumulate: int = 1):
        self.players, self.accumulate = players, accumulate
        self.outputs: dict[str, Tensor] = {}

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
