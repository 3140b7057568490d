"""What the machine offers: device, precision, threads. The only place that speaks of them."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from dataclasses import dataclass

import torch

from gan_cli.errors import UserMistake
from gan_cli.player import Precision


@dataclass(frozen=True)
class Hardware:
    """Where and in which precision to compute; `auto` and None mean what suits the machine.

    device: auto (cuda, else mps, else cpu), cpu, cuda, cuda:N or mps. precision: float32,
    bfloat16 (autocast in the networks; losses, penalties and weights stay float32), or auto
    (bfloat16 on a CUDA device that has it, float32 elsewhere). threads: CPU threads.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.device.partition(":")[0] not in _DEVICES:
            raise ValueError(f"device is one of {', '.join(_DEVICES)}, not {self.device}")
        if self.precision not in _PRECISIONS:
            raise ValueError(f"precision is one of {', '.join(_PRECISIONS)}, not {self.precision}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be 1 or more, or null, not {self.threads}")

    def claim(self) -> torch.device:
        """The device, after setting the number of threads; UserMistake if it isn't there."""
        torch.set_num_threads(self.threads or _THREADS)
        device = pick_device(self.device)
        if device.type == "cuda" and self.dtype(device) is torch.float32:
            torch.backends.cudnn.allow_tf32 = False  # convolutions would compute in 19 bits
        return device

    def dtype(self, device: torch.device) -> torch.dtype:
        """The precision in which the networks compute on that device."""
        return _PRECISIONS[self.precision] or _best_precision(device)

    def autocast(self, device: torch.device) -> Precision:
        """Makes the context in which the networks compute."""
        dtype = self.dtype(device)
        if dtype is torch.float32:
            return nullcontext
        return functools.partial(torch.autocast, device.type, dtype=dtype)


_THREADS = torch.get_num_threads()
_DEVICES = ("auto", "cpu", "cuda", "mps")
_PRECISIONS = {"auto": None, "float32": torch.float32, "bfloat16": torch.bfloat16}


def pick_device(name: str) -> torch.device:
    """The device of that name, `auto` for the fastest kind; UserMistake if it isn't there."""
    here = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    kind, _, index = name.partition(":")
    if kind not in _DEVICES:
        raise UserMistake(f"device is one of {', '.join(_DEVICES)}, not {name}")
    if not here.get(kind, True):
        raise UserMistake(f"there is no {kind} device here: use cpu, or auto for what there is")
    count = torch.cuda.device_count() if here["cuda"] else 0
    if index and (kind != "cuda" or not index.isdigit() or int(index) >= count):
        raise UserMistake(f"there is no device {name} here: {count} CUDA devices")
    if kind not in here:
        return torch.device(next(kind for kind in here if here[kind]))
    return torch.device(name)


def _best_precision(device: torch.device) -> torch.dtype:
    if device.type != "cuda":
        return torch.float32
    with torch.cuda.device(device):
        own = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if own else torch.float32
