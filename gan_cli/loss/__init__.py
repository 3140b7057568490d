"""Losses: two lines of a paper each, d(real, fake) and g(real, fake).

Arguments are D's raw outputs (logits, critic scores), always in the order (real, fake), always
'larger is more real'. Results are per sample, never reduced.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor


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
class Unbounded(Protocol):
    """A loss that D can make as small as it likes unless it is held."""

    def refuses(self, held: bool) -> str | None:
        """What to type when neither a penalty nor a constraint holds D; None when one does."""
        ...


class Solved(Protocol):
    """A loss whose best D is known in closed form."""

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """The output of the best D where log p/q is `log_ratio`, `(N,) -> (N,)`."""
        ...
