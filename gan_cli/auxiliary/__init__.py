"""Auxiliary tasks: what D's features are asked beside 'real or fake?'.

A head on D's features guesses something, a class or the codes G was given, and both players are
told how well. D's player owns the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.prior import Prior
from gan_cli.space import Space


@dataclass(frozen=True)
class Heard:
    """Both batches, the head's guesses at them, `(N, guesses)`, and what codes are drawn from."""

    real: Batch
    fake: Batch
    guess_real: Tensor
    guess_fake: Tensor
    prior: Prior


class Auxiliary(Protocol):
    """A question to D's features."""

    def guesses(self, space: Space, prior: Prior) -> int:
        """How many numbers the head gives, which is a linear layer on D's features."""
        ...

    def answer(self, output: Tensor, guess: Tensor) -> Tensor:
        """D's output on samples, `(N,), (N, guesses) -> (N,)`; most leave it as it is."""
        ...

    def d(self, heard: Heard) -> Tensor:
        """What D and the head pay beside the game, `(N,)`, weight included."""
        ...

    def g(self, fake: Batch, guess: Tensor, prior: Prior) -> Tensor:
        """What G pays beside the game, `(N,)`, weight included."""
        ...

    def refuses(self, space: Space, prior: Prior) -> str | None:
        """Why it can't be asked here, and what to type instead; None if it can."""
        ...


def labels(batch: Batch) -> Tensor:
    """The labels of samples, `(N,)`."""
    assert batch.c is not None
    return batch.c


def needs_labels(space: Space) -> str | None:
    """The refusal of a task in which no class is asked for."""
    return None if space.classes else "it names classes, and none is asked for: task=label"


def check_weights(**weights: float) -> None:
    """Raise ValueError for a negative weight."""
    for name, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise ValueError(f"{name} is a number, 0 or more, not {weight}")
