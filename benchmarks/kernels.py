"""The products and convolutions of a step by themselves: what is left if all else is free."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from gan_cli.bench.work import formulas
from gan_cli.fast.calls import Calls


class Kernels(Calls):
    """Notes, while it lasts, every operation that multiplies matrices or convolves, with copies of
    what it was given. Called, each is computed twice, and the second time is its time: nothing that
    it reads is as near in a step."""

    def __init__(self, computing: Callable[[], AbstractContextManager[None]]):
        super().__init__()
        self._computing = computing
        self._noted: list[Callable[[], Any]] = []
        self._formulas = formulas()
        self.ms: list[float] = []

    def call(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What it gives; noted, if it is one of them."""
        if func.overloadpacket in self._formulas:
            given, named = tree_map_only(Tensor, _copied, (args, kwargs))
            self._noted.append(lambda: func(*given, **named))
        return super().call(func, args, kwargs)

    @torch.no_grad()
    def __call__(self) -> None:
        """Compute them all, in their order."""
        seconds = 0.0
        with self._computing():
            for operation in self._noted:
                operation()
                began = time.perf_counter()
                operation()
                seconds += time.perf_counter() - began
        self.ms.append(1000 * seconds)

    def told(self) -> dict[str, Any]:
        """How many there are, and milliseconds of all: the median of what was measured."""
        return {"kernels": len(self._noted), "kernels_ms": statistics.median(self.ms)}


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.preserve_format)
