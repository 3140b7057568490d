"""Auxiliary tasks: what D's features are asked beside 'real or fake?'.

A head on D's features guesses something, a class or the codes G was given, and both players are
told how well. D's player owns the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from gan_cli.batch import Batch
from gan_cli.prior import Prior
from gan_cli.space import Space


@dataclass(frozen=True)
class Heard:
    """Both batches, and the head's guesses at them, `(N, guesses)`."""

    real: Batch
    fake: Batch
    guess_real: Tensor
    guess_fake: Tensor


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

    def g(self, fake: Batch, guess: Tensor) -> Tensor:
        """What G pays beside the game, `(N,)`, weight included."""
        ...

    def refuses(self, space: Space, prior: Prior) -> str | None:
        """Why it can't be asked here, and what to type instead; None if it can."""
        ...
