"""How samples are made on a CPU: in passes of one size, all computed in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor, nn

from gan_cli.fast import processor
from gan_cli.fast.quicken import computing
from gan_cli.fast.speed import Case, Speed, picked
from gan_cli.fast.work import Work, work_of
from gan_cli.space import Space

LEAST, CONVOLVED, MOST = 8, 64, 256
"""Samples of a pass: at least; at most where feature maps are to stay in a processor's cache; at
most elsewhere."""

ENOUGH = 4e9
"""Operations of a pass, at most but of the smallest: with more, a sample costs hardly any less."""


@dataclass(frozen=True)
class Passes:
    """The size of all forward passes, and how each is computed: in float32.

    A function of the network and of the kind of processor, so that a sample has the same bits
    wherever it is made here: batches of other sizes go through other kernels, which round
    differently, and so do other layouts.
    """

    size: int
    speed: Speed

    @classmethod
    def of(cls, net: nn.Module, space: Space) -> Passes:
        """Those of a network that makes samples of this space."""
        work = work_of([net], space)
        size = size_of(work)
        return cls(size, picked({}, {}, Case("cpu", False, processor.found(), work, size)))

    def lay_out(self, net: nn.Module) -> None:
        """Lay the network's tensors out in memory as passes have them."""
        for tensor, strides in _misplaced(net, self.speed.channels_last):
            tensor.data = _placed(tensor, strides)

    @contextmanager
    def computing(self, net: nn.Module) -> Iterator[None]:
        """The process and the network compute so, for as long as it lasts; with no more threads
        than the process has."""
        threads = min(self.speed.threads, torch.get_num_threads())
        speed = replace(self.speed, threads=threads)
        with computing(speed), laid_out(net, speed.channels_last):
            yield


def size_of(work: Work | None) -> int:
    """Samples of a pass, a power of 2, where a sample is so much work; None: where nobody knows."""
    if work is None:
        return LEAST
    size = CONVOLVED if work.convolutions else MOST
    while size > LEAST and size * work.all > ENOUGH:
        size //= 2
    return size


@contextmanager
def laid_out(net: nn.Module, channels_last: bool) -> Iterator[None]:
    """The network's tensors in memory row by row, or with the channels of images and kernels last,
    for as long as it lasts.

    While it trains they may be laid out otherwise, and convolutions round differently then: it
    would make other samples than the same weights from a file do.
    """
    others = _misplaced(net, channels_last)
    own = [tensor.data for tensor, _ in others]
    for tensor, strides in others:
        tensor.data = _placed(tensor, strides)
    try:
        yield
    finally:
        for (tensor, _), data in zip(others, own, strict=True):
            tensor.data = data


def _misplaced(net: nn.Module, channels_last: bool) -> list[tuple[Tensor, list[int]]]:
    """The tensors that are laid out otherwise, and the strides that they should have."""
    tensors = chain(net.parameters(), net.buffers())
    wanted = ((tensor, _strides(tensor.shape, channels_last)) for tensor in tensors)
    return [(tensor, strides) for tensor, strides in wanted if list(tensor.stride()) != strides]


def _placed(tensor: Tensor, strides: list[int]) -> Tensor:
    """A copy with these strides."""
    return torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype).copy_(tensor.data)


def _strides(shape: Sequence[int], channels_last: bool) -> list[int]:
    """Those of a tensor of that shape."""
    strides, count = [0] * len(shape), 1
    for axis in (1, 3, 2, 0) if channels_last and len(shape) == 4 else range(len(shape))[::-1]:
        strides[axis] = count
        count *= max(shape[axis], 1)
    return strides
