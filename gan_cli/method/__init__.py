"""Methods: who learns, and how."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from torch import Tensor, nn

from gan_cli.batch import Batch
from gan_cli.facts import Facts
from gan_cli.player import Player


class Method(Protocol):
    """Players, and the order in which they learn."""

    players: dict[str, Player]

    @property
    def batches_per_step(self) -> int:
        """Batches of data that one step takes."""
        ...

    def step(self, batches: Iterable[Batch], step: int) -> Facts:
        """Let everyone learn once; step counts from 0."""
        ...

    @property
    def images(self) -> int:
        """Samples of the data that have been learnt from."""
        ...

    @property
    def generator(self) -> nn.Module:
        """The network that samples are drawn from."""
        ...

    @property
    def outputs(self) -> dict[str, Tensor]:
        """Outputs of the last step worth a histogram, `(N,)` by name."""
        ...

    @property
    def parts(self) -> dict[str, Any]:
        """The components whose numbers can change during a run, by the name of their key."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as named tensors; G's as `G/…`, `G_ema/…`."""
        ...

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `state` gave; KeyError and RuntimeError where it can't be."""
        ...
