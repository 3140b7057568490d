"""Losses: two lines of a paper each, d(real, fake) and g(real, fake).

Arguments are D's raw outputs (logits, critic scores), always in the order (real, fake), always
'larger is more real'. Results are per sample, never reduced.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn


class Loss(Protocol):
    """What D and G minimise, sample by sample."""

    relative: ClassVar[bool]
    """Whether g reads `real` too; otherwise G's step spares D that work and passes None."""

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss, `(N,), (N,) -> (N,)`."""
        ...

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """G's loss, `(N,), (N,) -> (N,)`."""
        ...


@runtime_checkable
class Crossing(Protocol):
    """A loss that looks across the batch: what a sample pays depends on the others.

    Its batch is then part of the game: with `accumulate`, that of each part.
    """

    crosses: ClassVar[bool]
    """Always true; a loss of samples or of pairs has no such attribute."""


@runtime_checkable
class Unbounded(Protocol):
    """A loss that D can make as small as it likes unless it is held."""

    def refuses(self, held: bool) -> str | None:
        """What to type when neither a penalty nor a constraint holds D; None when one does."""
        ...


@runtime_checkable
class Selective(Protocol):
    """A loss that not every D can play."""

    def refuses_d(self, D: nn.Module) -> str | None:
        """Why this D can't play it, and what to type; None when it can."""
        ...


@runtime_checkable
class Solved(Protocol):
    """A loss whose best D is known in closed form."""

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """The output of the best D where log p/q is `log_ratio`, `(N,) -> (N,)`."""
        ...


@runtime_checkable
class Measures(Protocol):
    """A loss that is a divergence at its best D."""

    measures: ClassVar[str]
    """The divergence by its short name: js, tv, w1."""

    def distance(self, d_loss: float) -> float:
        """The divergence that a mean loss of D comes to; of the best D, the true one."""
        ...


def refuses_all_but_energies(D: nn.Module) -> str | None:
    """Why a D can't play a game of energies: its outputs must be minus one, never above 0.

    Such a D says so by an attribute `energy`, as that of model=autoencoder does.
    """
    if getattr(D, "energy", False):
        return None
    return (
        "it is a game of energies, so D's output must be minus a reconstruction error, and "
        f"{type(D).__name__} is no autoencoder: model=autoencoder"
    )
