"""Terms: what G pays beside the game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from gan_cli.batch import Batch
from gan_cli.space import Space


@dataclass(frozen=True)
class Played:
    """What G has just made, with its graph, and who was there.

    `fake` holds x, the conditions c and the codes z; `real` the right answers where the task has
    any (else just other samples). D is None where nobody judges.
    """

    G: nn.Module
    D: nn.Module | None
    real: Batch
    fake: Batch


class Term(Protocol):
    """What G pays beside the game, per sample.

    One that must remember something has `memory` (small tensors by name, in every checkpoint) and
    may update it when called.
    """

    @property
    def every(self) -> int:
        """Paid every so many G updates, times that number."""
        ...

    def __call__(self, played: Played) -> Tensor:
        """What each sample costs, `(N,)`, weight included."""
        ...

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """Why it can't be right here, and what to type instead; None if it can.

        Most terms compare with a right answer, which there is where `space.given` is.
        """
        ...


def check_weight(every: int, **weights: float) -> None:
    """Raise ValueError for a negative weight, or an interval that is none."""
    for name, weight in weights.items():
        if weight < 0:
            raise ValueError(f"{name} can't be negative: {weight}")
    if every < 1:
        raise ValueError(f"every is a number of G updates, 1 or more, not {every}")


def needs_an_answer(space: Space) -> str | None:
    """The refusal of a task in which no answer is the right one."""
    if space.given is not None and space.paired:
        return None
    return (
        "it compares with the right answer, and in this task there is none: "
        "task=superres (or another that makes images from images)"
    )
