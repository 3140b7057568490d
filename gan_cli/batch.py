"""Samples and what they are conditioned on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Samples x `(N, …)` and their conditions c: nothing, labels `(N,)`, or images `(N, C, H, W)`.

    Images are float in [-1, 1], `(N, C, H, W)`; points are `(N, d)`; a label of -1 is not known.
    Of what G made, z `(N, z_dim)` is the latent code it was made from.
    """

    x: Tensor
    c: Tensor | None = None
    z: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def split(self, parts: int) -> Iterator[Batch]:
        """The batch in `parts` consecutive pieces of nearly equal size."""
        columns = [
            [None] * parts if column is None else column.tensor_split(parts)
            for column in (self.x, self.c, self.z)
        ]
        for x, c, z in zip(*columns, strict=True):
            assert x is not None
            yield Batch(x, c, z)
