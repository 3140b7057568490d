"""Samples put through a network in blocks of one size, in full precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

MOST = 250
"""Samples of a block, at most: more are slower on a CPU, whose caches they leave."""

ROOM = 1 << 24
"""Numbers in the samples of a block, at most."""


@torch.no_grad()
def through(
    network: Callable[[Tensor], Tensor], x: Tensor, device: torch.device, most: int = MOST
) -> Tensor:
    """What a network on that device makes of samples, `(N, …) -> (N, …)`, float32, on the CPU.

    Every block is of one size, the last one filled up with zeros, and nothing computes in less than
    float32: so what is made of a sample doesn't depend on the samples beside it.
    """
    size = max(1, min(most, ROOM // max(1, x[:1].numel())))
    with _exactly(device):
        made = [
            network(_filled(part.float(), size).to(device))[: len(part)].float().cpu()
            for part in x.split(size)
        ]
    return torch.cat(made)


def _filled(part: Tensor, size: int) -> Tensor:
    if len(part) == size:
        return part
    return torch.cat([part, part.new_zeros(size - len(part), *part.shape[1:])])


@contextmanager
def _exactly(device: torch.device) -> Iterator[None]:
    """No autocast, and on a GPU no convolutions in 19 bits, whatever the run does."""
    with torch.autocast(device.type, enabled=False):
        if device.type != "cuda":
            yield
            return
        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = False
        try:
            yield
        finally:
            torch.backends.cudnn.allow_tf32 = before
