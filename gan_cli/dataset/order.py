"""Which samples make up batch i: a function of (seed, i), with no state to save."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.randomness import generator

CPU = torch.device("cpu")


class Part(int):
    """The size of a batch of which the rows `rank`, `rank + ranks`, … alone are wanted.

    A feed may leave the others blank, where reading them costs much; or give them all the same.
    """

    rank: int
    ranks: int

    @classmethod
    def of(cls, size: int, rank: int, ranks: int) -> Part:
        """That size, and whose rows."""
        part = cls(size)
        part.rank, part.ranks = rank, ranks
        return part


class Order:
    """The endless concatenation of epoch permutations; batch i is positions [iB, (i+1)B).

    The permutation of epoch e, and which of its samples are mirrored, come from (seed, e) alone.
    They are moved to `device` once an epoch, so that a step on a GPU waits for no copy. A batch
    may be larger than the set.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        device: torch.device = CPU,
        mirror: bool = False,
    ):
        if length < 1 or batch_size < 1:
            raise ValueError(f"no batches of {batch_size} from {length} samples")
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.device, self.mirror = device, mirror
        self._epochs: dict[int, _Epoch] = {}

    def __call__(self, i: int) -> tuple[Tensor, Tensor | None]:
        """The indices of batch i, `(B,)` int64, and which to mirror, `(B,)` bool or None."""
        index, flip = [], []
        position, end = i * self.batch_size, (i + 1) * self.batch_size
        while position < end:
            number, start = divmod(position, self.length)
            stop = min(self.length, start + end - position)
            epoch = self._epoch(number)
            index.append(epoch.index[start:stop])
            if epoch.flip is not None:
                flip.append(epoch.flip[start:stop])
            position += stop - start
        return torch.cat(index), torch.cat(flip) if flip else None

    def _epoch(self, number: int) -> _Epoch:
        if number not in self._epochs:
            if len(self._epochs) > 1:  # a batch across a border needs two
                self._epochs.pop(next(iter(self._epochs)))
            self._epochs[number] = self._draw(number)
        return self._epochs[number]

    def _draw(self, number: int) -> _Epoch:
        index = torch.randperm(self.length, generator=generator("order", self.seed, number))
        if not self.mirror:
            return _Epoch(index.to(self.device), None)
        coins = torch.rand(self.length, generator=generator("mirror", self.seed, number))
        return _Epoch(index.to(self.device), (coins < 0.5).to(self.device))


@dataclass(frozen=True)
class _Epoch:
    index: Tensor
    flip: Tensor | None
