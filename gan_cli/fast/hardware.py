"""What a command says of the machine, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch

from gan_cli import circumstances, dist
from gan_cli.circumstances import Circumstances
from gan_cli.errors import UserMistake
from gan_cli.fast import processor
from gan_cli.fast.bits import exact_float32, same_bits
from gan_cli.fast.compiling import no_compiler
from gan_cli.fast.devices import DEVICES, pick_device, ranks_device
from gan_cli.fast.speed import DTYPES, PRODUCTS, Case, Speed, as_begun, picked
from gan_cli.fast.work import Work
from gan_cli.launcher import LAUNCHERS, Place


@dataclass(frozen=True)
class Hardware:
    """Where and how to compute; `auto` and null mean what suits the machine and the networks.

    A run says at its start what that is, and why, and goes on with it. device: auto (cuda, else
    mps, else cpu), cpu, cuda, cuda:N or mps. precision: float32, bfloat16 (autocast in the
    networks; losses, penalties and weights stay float32), or auto: bfloat16 where the device
    multiplies it itself, on a CPU only where convolutions are large. channels_last: images and
    weights of convolutions with their channels last in memory; auto: where they are large. compile:
    on a CPU whole steps, elsewhere the forward passes, which needs a compiler and seconds to begin;
    auto: no. cuda_graphs: whole steps are recorded and replayed; auto: on CUDA. products: who
    multiplies float32 matrices on a CPU, torch or onednn; auto: oneDNN on AMD's processors, of
    which torch's own choice uses half the width. threads: CPU threads; null: as many as a
    batch is worth. deterministic: only algorithms that give the same bits each time; on CUDA they
    are slower.

    On several ranks: ranks says who started them, torchrun or slurm (srun). batch: batch_size is
    that of the whole batch, or of a rank's share. batch_norm: the statistics of batch norm are
    those of a rank's share (local), or of the whole batch (synchronised).
    """

    device: str = "auto"
    precision: str = "auto"
    channels_last: bool | str = "auto"
    compile: bool | str = "auto"
    cuda_graphs: bool | str = "auto"
    products: str = "auto"
    threads: int | None = None
    ranks: str = "torchrun"
    batch: str = "whole"
    batch_norm: str = "local"
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.device.partition(":")[0] not in DEVICES:
            raise ValueError(f"device is one of {', '.join(DEVICES)}, not {self.device}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be 1 or more, or null, not {self.threads}")
        for key in _SWITCHES:
            if (said := getattr(self, key)) not in (True, False, AUTO):
                raise ValueError(f"{key} is auto, true or false, not {said}")
        for key, known in _CHOICES.items():
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
        """The device, after setting threads, algorithms and the keeping of memory; UserMistake if
        it isn't there.

        Whatever an earlier run in this process has set is set anew. The threads are those that are
        said, or all: steps may have fewer.
        """
        same_bits(self.deterministic)
        device = ranks_device(self.device)
        self._refuse(device)
        speed = picked(self.said, {}, self.case(device))
        if torch.get_num_threads() != speed.threads:
            torch.set_num_threads(speed.threads)
        processor.keep_memory()
        self._settle(device, speed)
        return device

    def speed(
        self,
        device: torch.device,
        work: Work | None,
        batch: int,
        before: Circumstances | None = None,
    ) -> Speed:
        """How to compute on that device, networks of such work, in batches of so many samples.

        before: the circumstances in which a run that goes on was trained, None of a new one; of
        several ranks the first one's. All compute as that one does, each with its own threads.
        """
        before = dist.told(before)
        case = self.case(device, work, batch)
        own = picked(self.said, {} if before is None else as_begun(before, case), case)
        speed = replace(dist.told(own), threads=own.threads)
        self._settle(device, speed)
        return speed

    @property
    def said(self) -> dict[str, Any]:
        """What isn't left to this machine, by key."""
        values = {key: getattr(self, key) for key in Speed().picks}
        return {key: value for key, value in values.items() if value not in (AUTO, None)}

    def case(self, device: torch.device, work: Work | None = None, batch: int = 0) -> Case:
        """What is known of this machine, and of what is to be computed."""
        here = processor.found()
        own = _has_bfloat16(device) if device.type == "cuda" else here.bfloat16
        return Case(device.type, own, here, work, batch, dist.size())

    def circumstances(self, device: torch.device, speed: Speed | None = None) -> Circumstances:
        """What the bits of a run on that device depend on, besides its settings.

        Without its speed: as far as the settings alone tell.
        """
        picks = (speed or picked(self.said, {}, self.case(device))).picks
        found = circumstances.found(
            str(device), picks["precision"], dist.size(), self.deterministic
        )
        return found | picks

    def _refuse(self, device: torch.device) -> None:
        """UserMistake for what this machine can't do."""
        why: Mapping[str, str | None] = {
            "cuda_graphs": _no_graphs(device),
            "channels_last": "mps has no such layout" if device.type == "mps" else None,
            "compile": no_compiler(device) if self.compile is True else None,
        }
        for key, reason in why.items():
            if reason and getattr(self, key) is True:
                raise UserMistake(f"hardware.{key}=true: {reason}: hardware.{key}=auto")
        wants = self.said.get("products") == PRODUCTS[1]
        if wants and not (device.type == "cpu" and processor.products_are_exact()):
            raise UserMistake(
                f"hardware.products=onednn: it has none of float32 on this {device.type}: "
                "hardware.products=auto"
            )

    def _settle(self, device: torch.device, speed: Speed) -> None:
        """Set which bits CUDA multiplies, for the whole process."""
        on_cuda = device.type == "cuda"
        exact_float32(self.deterministic or (on_cuda and speed.dtype is torch.float32))


def as_settings(before: Circumstances, threads: int) -> dict[str, Any]:
    """The hardware of a run that was trained in these circumstances, as settings, where it is here.

    threads: the most there can be. Of what was not written down nothing is said but how a gan
    computed that wrote nothing down.
    """
    name = str(before.get("device"))
    device = "cpu"
    had: dict[str, Any] = {}
    with suppress(UserMistake):  # it isn't here, or nobody knows which it was
        device = had["device"] = pick_device(name).type
    case = Hardware().case(torch.device(device))
    here = replace(case, processor=replace(case.processor, threads=threads))
    return as_begun(before, here) | had


def _no_graphs(device: torch.device) -> str | None:
    if device.type != "cuda":
        return f"there are none on {device.type}"
    return "several ranks wait for each other in a step" if dist.size() > 1 else None


def _has_bfloat16(device: torch.device) -> bool:
    """Whether a CUDA device multiplies it itself."""
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


AUTO = "auto"
"""What leaves the choice to this machine."""

_SHARING: dict[str, dict[str, object]] = {
    "ranks": dict(LAUNCHERS),
    "batch": {"whole": False, "rank": True},
    "batch_norm": {"local": False, "synchronised": True},
}
_CHOICES = {"precision": (AUTO, *DTYPES), "products": (AUTO, *PRODUCTS), **_SHARING}
_SWITCHES = ("channels_last", "compile", "cuda_graphs")
