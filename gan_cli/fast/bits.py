"""Whether the same numbers come out bit for bit each time: torch's deterministic algorithms."""

from __future__ import annotations

import os
from typing import Any

import torch

from gan_cli.errors import UserMistake


def same_bits(wanted: bool) -> None:
    """Allow only algorithms that give the same bits each time, or any again.

    On every device: on the CPU, too, what comes back through an index is added up by several
    threads in any order otherwise. Nothing else was seen to have other bits there. UserMistake
    where it is too late for it.
    """
    if wanted:
        _settle_cublas()
    torch.backends.cudnn.deterministic = wanted
    torch.backends.cudnn.benchmark = False
    if torch.are_deterministic_algorithms_enabled() != wanted:  # to say so takes a second
        torch.use_deterministic_algorithms(wanted)
    settings: Any = torch.utils.deterministic
    settings.fill_uninitialized_memory = False  # gan reads none, and it takes time


def exact_float32(wanted: bool) -> None:
    """Have CUDA multiply float32 numbers as they are, or as torch would have it.

    By torch's default convolutions take the 19 bits of TF32, products of matrices all 32.
    """
    torch.backends.cudnn.allow_tf32 = not wanted
    torch.backends.cuda.matmul.allow_tf32 = False


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
