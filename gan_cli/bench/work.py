"""Floating-point operations: of a step, counted; of this hardware, as many as plain ones reach."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from gan_cli.bench.timing import Clock, seconds
from gan_cli.fast.calls import Calls


def flops(work: Callable[[], object]) -> int:
    """The floating-point operations of matrix products, convolutions and attention in it.

    Forward, backward and backward of the backward; two for each multiplication with its addition,
    as roofs of hardware are told. What is done element by element is not counted.
    """
    with Counted() as counted:
        work()
    return counted.flops


class Counted(Calls):
    """Within it, `flops` grows by what torch's own formulas say of each call.

    Its FlopCounterMode also follows modules, by hooks that `torch.autograd.grad` does not allow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self._formulas = formulas()

    def call(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Calls it, and counts."""
        out = super().call(func, args, kwargs)
        if formula := self._formulas.get(func.overloadpacket):
            self.flops += int(formula(*args, **kwargs, out_val=out))
        return out


def formulas() -> Mapping[Any, Callable[..., int]]:
    """torch's own, of the operations that multiply matrices or convolve."""
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)  # it seeks triton
    from torch.utils.flop_counter import flop_registry

    return flop_registry


@dataclass(frozen=True)
class Roof:
    """FLOP/s that a plain large matrix product and a plain convolution reach here."""

    product: float
    convolution: float

    @property
    def best(self) -> float:
        """The higher of the two."""
        return max(self.product, self.convolution)


LARGE = {"cuda": (8192, 128, 256, 64)}
SMALL = (1024, 16, 128, 32)
"""Rows of a square product; samples, channels and pixels along an edge of a convolution."""

REPEATS = 3
"""Repeats at least, after one that counts for nothing."""


def roof(device: torch.device, dtype: torch.dtype, last: bool, clock: Clock, budget: float) -> Roof:
    """What plain operations of this precision reach, at best, in so many seconds of trying.

    last: the channels of the convolution come last in memory.
    """
    rows, n, channels, edge = LARGE.get(device.type, SMALL)
    layout = torch.channels_last if last else torch.contiguous_format

    def filled(*shape: int) -> Tensor:
        return torch.randn(shape, device=device).to(dtype)  # of zeros some chips are faster

    a, b = filled(rows, rows), filled(rows, rows)
    x = filled(n, channels, edge, edge).to(memory_format=layout)
    w = filled(channels, channels, 3, 3).to(memory_format=layout)
    with torch.no_grad():
        product = _best(lambda: a @ b, clock, budget / 2)
        convolution = _best(lambda: conv2d(x, w, padding=1), clock, budget / 2)
    return Roof(product, convolution)


def _best(work: Callable[[], object], clock: Clock, budget: float) -> float:
    """FLOP/s of the fastest of several repeats."""
    count = flops(work)
    begun, times = clock(), list[float]()
    while len(times) < REPEATS or clock() - begun < budget:
        times.append(seconds(work, clock))
    return count / max(min(times), 1e-9)
