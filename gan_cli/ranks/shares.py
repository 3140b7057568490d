"""Rows of a batch on several ranks: draws of their own, means and rows of all, differentiable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as together
from torch import Tensor

from gan_cli.ranks.meeting import group, rank, size, talking


def own(draw: Callable[[int], Tensor], n: int, dim: int = 0) -> Tensor:
    """Random numbers, one draw a sample, of which each rank keeps those of its `n` samples.

    All ranks draw those of the whole batch from the same global numbers, along `dim`; so they are
    those that one process would draw, and no two samples share one.
    """
    if group() is None:
        return draw(n)
    return rows(draw(n * size()), dim)


def own_like(draw: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """As `own`: what `draw` (torch.randn_like, say) gives for each of the samples x."""
    if group() is None:
        return draw(x)
    return own(lambda n: draw(x.new_empty(n, *x.shape[1:])), len(x))


def rows(x: Tensor, dim: int = 0) -> Tensor:
    """This rank's rows of something of the whole batch."""
    if group() is None:
        return x
    mine = torch.arange(rank(), x.shape[dim], size(), device=x.device)
    return x.index_select(dim, mine)


def whole(x: Tensor) -> Tensor:
    """The rows of all ranks in their order, `(n, …) -> (n W, …)`; differentiable again."""
    if group() is None:
        return x
    every: Tensor = _Gather.apply(x)
    return every


def mean(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The mean of each tensor over all ranks, in one message for each type; differentiable again.

    The same bits on every rank.
    """
    tensors = list(tensors)
    if group() is None:
        return tensors
    kinds: dict[torch.dtype, list[int]] = {}
    for index, tensor in enumerate(tensors):
        kinds.setdefault(tensor.dtype, []).append(index)
    found = list(tensors)
    for indices in kinds.values():
        flat: Tensor = _Mean.apply(torch.cat([tensors[i].reshape(-1) for i in indices]))
        pieces = flat.split([tensors[i].numel() for i in indices])
        for i, piece in zip(indices, pieces, strict=True):
            found[i] = piece.view_as(tensors[i])
    return found


@torch.no_grad()
def level(tensors: Iterable[Tensor]) -> None:
    """Put the mean over all ranks into each tensor, where it is a floating one."""
    if group() is None:
        return
    floating = [tensor for tensor in tensors if tensor.is_floating_point()]
    if floating:
        for tensor, value in zip(floating, mean(floating), strict=True):
            tensor.copy_(value)


class _Mean(torch.autograd.Function):
    """The mean over ranks. Each rank's gradient is in the end averaged over the ranks, so what
    comes back is averaged too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        here = group()
        assert here is not None
        out = x.contiguous().clone()
        with talking():
            together.all_reduce(out, group=here.data)
        return out.div_(size())

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        out: Tensor = _Mean.apply(slopes[0])
        return out


class _Gather(torch.autograd.Function):
    """The rows of all ranks. What comes back to a row is the sum of what each rank makes of it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        here = group()
        assert here is not None
        parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(size())]
        with talking():
            together.all_gather(parts, x.contiguous(), group=here.data)
        return torch.stack(parts, 1).flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        total: Tensor = _Mean.apply(slopes[0])
        return rows(total) * size()
