"""What this machine's processor is good at, as far as torch doesn't make use of it by itself."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

THREADS = torch.get_num_threads()
"""Threads that torch takes by itself: one for each core, or as OMP_NUM_THREADS says."""


@dataclass(frozen=True)
class Processor:
    """What decides between ways to compute.

    bfloat16: whether it multiplies such numbers itself. onednn: whether products of float32
    matrices are faster through oneDNN than through torch's own choice, and as exact. threads: how
    many there are.
    """

    bfloat16: bool
    onednn: bool
    threads: int


@functools.cache
def found() -> Processor:
    """The processor of this machine."""
    wide = _able("_is_avx512_supported") and not _able("_is_amx_tile_supported")
    halved = wide and _is_amd() and torch.backends.mkl.is_available()
    return Processor(
        bfloat16=_able("_is_avx512_bf16_supported") or _able("_is_amx_tile_supported"),
        onednn=halved and products_are_exact(),
        threads=THREADS,
    )


def products_routed() -> bool:
    """Whether products of float32 matrices are computed by oneDNN now."""
    return torch.backends.mkldnn.is_available() and _matmul().fp32_precision == _ROUTES[True]


def route_products(by_onednn: bool) -> None:
    """Have products of float32 matrices computed by oneDNN, or as torch would; for this process.

    MKL, which torch calls, uses half the width of AMD's processors. torch goes to oneDNN where
    bfloat16 would do inside; without tile registers oneDNN computes in float32 all the same.
    """
    if torch.backends.mkldnn.is_available():
        _matmul().fp32_precision = _ROUTES[by_onednn]


_ROUTES = {True: "bf16", False: "none"}


@functools.cache
def products_are_exact() -> bool:
    """Whether oneDNN's products of float32 matrices are of float32's exactness: one is tried.

    In bfloat16 it would be off by about 1e-2 of its size, in TF32 by 1e-3.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    before = _matmul().fp32_precision
    numbers = torch.arange(96 * 96, dtype=torch.float64).view(96, 96)
    a, b = numbers.sin(), (numbers * 0.7).cos()
    try:
        route_products(True)
        made = a.float() @ b.float()
    finally:
        _matmul().fp32_precision = before
    return bool((made.double() - a @ b).abs().max() < 1e-4)


@functools.cache
def keep_memory() -> bool:
    """Have the C library keep the memory of tensors that are gone for those that come; for good.

    Returns whether it can be told so: glibc can. Left alone it gives large pieces back to the
    system and asks for them again at each step, zeroed page by page: 160,000 of them in a step of
    a DCGAN on 128 images of 64×64. What is above `KEPT` bytes still goes back.
    """
    if not _has_glibc():
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(limit, KEPT) for limit in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))


KEPT = 2**30
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's malloc.h."""


def _has_glibc() -> bool:
    with suppress(AttributeError, ValueError, OSError):
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    return False


def _matmul() -> Any:
    backend: Any = torch.backends.mkldnn
    return backend.matmul


def _able(question: str) -> bool:
    asked = getattr(torch.cpu, question, None)
    return bool(asked and asked())


def _is_amd() -> bool:
    with suppress(OSError):
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(errors="replace")[:4000]
    return "AuthenticAMD" in platform.processor()
