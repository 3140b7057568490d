"""What the machine offers: device, precision, threads. The only place that speaks of them."""

from __future__ import annotations

import functools
import os
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from gan_cli import circumstances, dist
from gan_cli.circumstances import Circumstances
from gan_cli.errors import UserMistake
from gan_cli.launcher import LAUNCHERS, Place
from gan_cli.player import Precision


@dataclass(frozen=True)
class Hardware:
    """Where and in which precision to compute; `auto` and None mean what suits the machine.

    device: auto (cuda, else mps, else cpu), cpu, cuda, cuda:N or mps. precision: float32,
    bfloat16 (autocast in the networks; losses, penalties and weights stay float32), or auto
    (bfloat16 on a CUDA device that has it, float32 elsewhere). threads: CPU threads. deterministic:
    only algorithms that give the same bits each time; on CUDA they are slower.

    On several ranks: ranks says who started them, torchrun or slurm (srun). batch: batch_size is
    that of the whole batch, or of a rank's share. batch_norm: the statistics of batch norm are
    those of a rank's share (local), or of the whole batch (synchronised).
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    ranks: str = "torchrun"
    batch: str = "whole"
    batch_norm: str = "local"
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.device.partition(":")[0] not in _DEVICES:
            raise ValueError(f"device is one of {', '.join(_DEVICES)}, not {self.device}")
        if self.precision not in _PRECISIONS:
            raise ValueError(f"precision is one of {', '.join(_PRECISIONS)}, not {self.precision}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be 1 or more, or null, not {self.threads}")

        for key, known in _SHARING.items():
            if (said := getattr(self, key)) not in known:
                raise ValueError(f"{key} is one of {', '.join(known)}, not {said}")

    def place(self) -> Place | None:
        """Which of several ranks this process is; None where there is only one."""
        return LAUNCHERS[self.ranks]()

    def batch_size(self, said: int) -> int:
        """The size of the whole batch, where the command says this one."""
        return said * dist.size() if _SHARING["batch"][self.batch] else said

    @property
    def synchronises(self) -> bool:
        """Whether the statistics of batch norm are those of the whole batch."""
        return bool(_SHARING["batch_norm"][self.batch_norm])

    def claim(self) -> torch.device:
        """The device, after setting threads and algorithms; UserMistake if it isn't there."""
        torch.set_num_threads(self.threads or _THREADS)
        _same_bits(self.deterministic)
        device = pick_device(self.device)
        if device.type == "cuda" and dist.size() > 1:
            if self.device.partition(":")[2]:
                raise UserMistake(
                    f"each rank has a device of its own, so not {device}: hardware.device=cuda"
                )
            device = _own_device()
        if device.type == "cuda" and self.dtype(device) is torch.float32:
            torch.backends.cudnn.allow_tf32 = False  # convolutions would compute in 19 bits
        return device

    def dtype(self, device: torch.device) -> torch.dtype:
        """The precision in which the networks compute on that device."""
        return _PRECISIONS[self.precision] or _best_precision(device)

    def circumstances(self, device: torch.device) -> Circumstances:
        """What the bits of a run on that device depend on, besides its settings."""
        precision = str(self.dtype(device)).removeprefix("torch.")
        return circumstances.found(str(device), precision, dist.size(), self.deterministic)

    def autocast(self, device: torch.device) -> Precision:
        """Makes the context in which the networks compute."""
        dtype = self.dtype(device)
        if dtype is torch.float32:
            return nullcontext
        return functools.partial(torch.autocast, device.type, dtype=dtype)


def _same_bits(wanted: bool) -> None:
    """Allow only algorithms that give the same bits each time, or any again.

    On every device: on the CPU, too, what comes back through an index is added up by several
    threads in any order otherwise. Nothing else was seen to have other bits there.
    """
    if wanted:
        _settle_cublas()
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = wanted
    torch.backends.cudnn.benchmark = False
    if torch.are_deterministic_algorithms_enabled() != wanted:  # to say so takes a second
        torch.use_deterministic_algorithms(wanted)
    settings: Any = torch.utils.deterministic
    settings.fill_uninitialized_memory = False  # gan reads none, and it takes time


CUBLAS, SETTLED = "CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8")
"""The variable that says where cuBLAS computes, and the values with which its bits are the same."""


def _settle_cublas() -> None:
    """Set what cuBLAS reads when CUDA starts; UserMistake where it is too late for it."""
    said = os.environ.get(CUBLAS)
    late = said is None and torch.cuda.is_initialized()
    if late or said not in (None, *SETTLED):
        why = "CUDA runs already" if late else f"{CUBLAS} is {said}"
        raise UserMistake(
            f"hardware.deterministic: {why}: set {CUBLAS}={SETTLED[0]} before gan starts"
        )
    os.environ.setdefault(CUBLAS, SETTLED[0])


def refused(error: Exception) -> str | None:
    """What to say where an operation has no deterministic algorithm; None for any other error."""
    said = str(error)
    if "deterministic" not in said or not torch.are_deterministic_algorithms_enabled():
        return None
    name = said.partition(" ")[0]
    return (
        f"hardware.deterministic: {name} has no deterministic algorithm on this device. Leave out "
        "the component that calls it, or hardware.device=cpu, or hardware.deterministic=false"
    )


_SHARING: dict[str, dict[str, object]] = {
    "ranks": dict(LAUNCHERS),
    "batch": {"whole": False, "rank": True},
    "batch_norm": {"local": False, "synchronised": True},
}
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


def _own_device() -> torch.device:
    """The CUDA device of this rank, one for each on its machine; UserMistake for too few."""
    count = torch.cuda.device_count()
    if dist.local() >= count:
        raise UserMistake(
            f"rank {dist.rank()} is number {dist.local() + 1} of its machine, which has {count} "
            "CUDA devices: no more ranks than devices, or hardware.device=cpu"
        )
    return torch.device("cuda", dist.local())


def _best_precision(device: torch.device) -> torch.dtype:
    if device.type != "cuda":
        return torch.float32
    with torch.cuda.device(device):
        own = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if own else torch.float32
