"""What a machine can do at most: products and convolutions of kind sizes, in each precision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli import build

SHAPES = {"cpu": (1536, 64, 32), "cuda": (8192, 256, 64)}
"""The side of a matrix, and the channels and the side of the images of a convolution."""

TIMES = 2
"""How often each is done before the device is waited for."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Peak:
    """Called, it tries everything once more; `best`: operations a second in each precision."""

    def __init__(self, device: str):
        self.device = device
        said = (f"hardware.device={device}", "hardware.precision=float32")
        build.parts(build.compose(*said)).hardware.claim()
        self.acts = {name: [*acts(device, dtype)] for name, dtype in DTYPES.items()}
        self.best = dict.fromkeys(DTYPES, 0.0)

    def __call__(self) -> None:
        """Try everything; the best counts."""
        for name, some in self.acts.items():
            for flops, act in some:
                self.best[name] = max(self.best[name], flops / self.seconds(act))

    def seconds(self, act: Callable[[], Any]) -> float:
        """Seconds of one, after one that is not counted."""
        act()
        self.wait()
        began = time.perf_counter()
        for _ in range(TIMES):
            act()
        self.wait()
        return (time.perf_counter() - began) / TIMES

    def wait(self) -> None:
        """Until the device has done what it was asked."""
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()


def acts(device: str, dtype: torch.dtype) -> Iterator[tuple[float, Callable[[], Tensor]]]:
    """What is tried, with its number of operations: in all layouts and algorithms there are."""
    side, channels, pixels = SHAPES["cuda" if device.startswith("cuda") else "cpu"]
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    linear = nn.Linear(side, side, bias=False, device=device, dtype=dtype).requires_grad_(False)
    yield 2 * side**3, lambda: a @ b
    yield 2 * side**3, lambda: linear(a)
    x = torch.randn(64, channels, pixels, pixels, device=device, dtype=dtype)
    for layout in (torch.contiguous_format, torch.channels_last):
        net = nn.Conv2d(channels, 2 * channels, 3, 1, 1, bias=False, device=device, dtype=dtype)
        net = net.requires_grad_(False).to(memory_format=layout)
        seen = x.to(memory_format=layout)
        flops = 2 * 64 * pixels**2 * channels * 2 * channels * 9
        yield flops, lambda net=net, seen=seen: net(seen)
