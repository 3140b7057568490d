"""What the bits of a run depend on besides its settings: versions, machine, threads, precision."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gan_cli import __version__

Circumstances = dict[str, Any]
"""Plain values by name: words, whole numbers, true or false; None where there is no such thing."""

VARIABLES = (
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_CBWR"),
    *("MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS"),
)
"""Environment variables that choose other kernels."""

ON_CUDA = (
    *("CUBLAS_WORKSPACE_CONFIG", "CUBLASLT_WORKSPACE_SIZE", "NVIDIA_TF32_OVERRIDE"),
    *("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "TORCH_CUDNN_V8_API_DISABLED"),
)
"""Those that do so on CUDA."""

INERT = frozenset({"source", "OMP_NUM_THREADS"})
"""What is written down, and changes nothing by itself: a comment may have been edited, and the
threads there are in the end are counted."""


def found(device: str, precision: str, ranks: int, deterministic: bool) -> Circumstances:
    """Those of this process: torch is there, and has been told its device and threads.

    device: as torch calls it. precision: of the networks. ranks: how many train. deterministic:
    whether only deterministic algorithms are allowed.
    """
    import torch

    chosen = torch.device(device)
    told: Circumstances = {
        "gan": __version__,
        "source": source(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": str(torch.__version__),
        "torch build": _build(),
        "device": str(chosen.type),
        "processor": _processor(),
        "CPU capability": str(torch.backends.cpu.get_cpu_capability()),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "ranks": ranks,
        "deterministic": deterministic,
    }
    names = [*VARIABLES]
    if chosen.type == "cuda":
        told |= _cuda(chosen)
        names += ON_CUDA
    return told | {name: os.environ[name][:200] for name in names if name in os.environ}


def guessed(
    versions: dict[str, Any], config: dict[str, Any], latest: object = None
) -> Circumstances:
    """What an older record says of them: versions, and threads where the settings named them.

    latest: what was written down of its last session, where it was.
    """
    if isinstance(latest, dict) and latest:
        return plain(latest)
    hardware = config.get("hardware")
    threads = hardware.get("threads") if isinstance(hardware, dict) else None
    known = {name: versions.get(name) for name in ("gan", "python", "torch")}
    told = known | {"threads": threads}
    return plain({name: value for name, value in told.items() if value is not None})


def plain(told: dict[str, Any]) -> Circumstances:
    """What a file says of circumstances, as far as it is plain words and numbers."""
    kinds = str | int | bool | None
    few = list(told.items())[:64]
    return {str(name): value for name, value in few if isinstance(value, kinds)}


def changed(
    before: Circumstances, now: Circumstances, without: Iterable[str] = INERT
) -> dict[str, tuple[Any, Any]]:
    """What is not as it was, by name; of what was not written down then, nothing is known.

    A variable that was not set then, and is now, was not written down because it was not set.
    """
    if not before:
        return {}
    left_out = set(without)
    variables = (*VARIABLES, *ON_CUDA) if "torch build" in before else ()
    names = [*before, *(name for name in variables if name in now and name not in before)]
    pairs = {name: (before.get(name), now.get(name)) for name in names if name not in left_out}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def told(differences: dict[str, tuple[Any, Any]]) -> str:
    """Differences in one line: `threads 2 → 1, torch 2.13.0 → 2.15.0`."""
    pairs = differences.items()
    return ", ".join(f"{_NAMES.get(n, n)} {_word(a)} → {_word(b)}" for n, (a, b) in pairs)


_NAMES = {"source": "gan's own files"}


def _word(value: Any) -> str:
    words = {None: "none", True: "on", False: "off"}
    return words.get(value, str(value)) if value is None or type(value) is bool else str(value)


@functools.cache
def source() -> str:
    """A digest of gan's own files, so that an edit can be told from another version."""
    root = Path(__file__).parent
    sha = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        with suppress(OSError):
            sha.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return sha.hexdigest()[:16]


@functools.cache
def _build() -> str:
    """Which build of torch: its revision, its libraries, and a digest of how it was configured."""
    import torch

    how = torch.__config__.show()
    blas = re.search(r"BLAS_INFO=(\w+)", how)
    still = re.sub(r"CPU capability usage: \w+", "", how)  # of this process, and told by itself
    digest = hashlib.sha256(still.encode()).hexdigest()[:8]
    revision = str(torch.version.git_version or "")[:10]
    return " ".join(filter(None, [revision, blas[1] if blas else "", digest]))


@functools.cache
def _processor() -> str:
    """The name of the processor, as the system has it."""
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(errors="replace")
        if name := re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE):
            return name[1].strip()[:100]
    return (platform.processor() or platform.machine())[:100]


def _cuda(device: Any) -> Circumstances:
    """The card, its libraries and its driver."""
    import torch

    cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
    return {
        "card": torch.cuda.get_device_name(device),
        "CUDA": torch.version.cuda,
        "cuDNN": cudnn,
        "driver": _driver(),
        "TF32": f"{torch.backends.cuda.matmul.allow_tf32} {torch.backends.cudnn.allow_tf32}",
    }


def _driver() -> str | None:
    with suppress(OSError):  # where there is no such file
        text = Path("/proc/driver/nvidia/version").read_text(errors="replace")
        if version := re.search(r"\s(\d{3,}\.\d+(?:\.\d+)?)\s", text):
            return version[1]
    return None
