"""What a checkpoint that can be trusted costs: against torch.save of the same tensors.

    python benchmarks/saving.py

saves and loads states of several sizes in turn: as a run does (with a SHA-256, synced, renamed,
read back and compared, the oldest of three removed), as `container.write` alone, with torch.save,
which neither syncs nor verifies, and with torch.save followed by a sync. Writes
benchmarks/results/saving.json.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli import container, state

RESULTS = Path(__file__).parent / "results" / "saving.json"
SIZES = (4, 50, 240, 1000)
"""Megabytes."""

REPEATS = 5


def tensors(megabytes: int) -> dict[str, Tensor]:
    """Twenty tensors of so much in all."""
    torch.manual_seed(0)
    return {f"G/{number}": torch.randn(megabytes * 12_500) for number in range(20)}


def ways(place: Path, held: dict[str, Tensor]) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    meta: dict[str, Any] = {"kind": "train"}
    steps = count(1)

    def save() -> None:
        step = next(steps)
        state.save(place / "run", step, held, meta | {"step": step})

    def plainly(sync: bool) -> None:
        with (place / "plain.pt").open("wb") as file:
            torch.save(held, file)
            if sync:
                file.flush()
                os.fsync(file.fileno())

    return {
        "save": save,
        "write": lambda: container.write(place / "one.safetensors", held, meta),
        "load": lambda: state.newest(place / "run"),
        "torch.save": lambda: plainly(sync=False),
        "torch.save, synced": lambda: plainly(sync=True),
        "torch.load": lambda: torch.load(place / "plain.pt", weights_only=True),
    }


def timed(megabytes: int) -> dict[str, Any]:
    """Median seconds of each way, taken in turn, and what saving costs a gigabyte."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "run").mkdir()
        acts = ways(place, tensors(megabytes))
        for _ in range(REPEATS):
            for way, act in acts.items():
                before = time.perf_counter()
                act()
                found.setdefault(way, []).append(time.perf_counter() - before)
    seconds = {way: round(statistics.median(times), 4) for way, times in found.items()}
    a_gigabyte = round(seconds["save"] / megabytes * 1000, 2)
    return {"megabytes": megabytes, "seconds": seconds, "save_seconds_a_gigabyte": a_gigabyte}


def main() -> None:
    """Time every size, and keep what was found."""
    told = {"torch": torch.__version__, "cpus": os.cpu_count(), "sizes": list(map(timed, SIZES))}
    text = json.dumps(told, indent=1)
    RESULTS.write_text(f"{text}\n")
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
