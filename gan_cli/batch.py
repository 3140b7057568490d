"""Samples and what they are conditioned on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Samples x `(N, …)` and their conditions c: nothing, or labels `(N,)`.

    Images are float in [-1, 1], `(N, C, H, W)`; points are `(N, d)`.
    """

    x: Tensor
    c: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def split(self, parts: int) -> Iterator[Batch]:
        """The batch in `parts` consecutive pieces of nearly equal size."""
        conditions = [None] * parts if self.c is None else self.c.tensor_split(parts)
        for x, c in zip(self.x.tensor_split(parts), conditions, strict=True):
            yield Batch(x, c)
