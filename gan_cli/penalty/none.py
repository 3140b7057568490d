"""No penalty: D is free to be steep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gan_cli.penalty import Seen


@dataclass(frozen=True)
class NoPenalty:
    """D pays nothing besides the game, as in Goodfellow et al. 2014, arXiv 1406.2661."""

    every: ClassVar[int] = 0

    def __call__(self, seen: Seen) -> Tensor:
        """Zero for each sample, `(N,)`."""
        return seen.d_real.new_zeros(len(seen.real))

    def refuses(self, D: nn.Module) -> str | None:
        """Nothing is refused."""
        return None
