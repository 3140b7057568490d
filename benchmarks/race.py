"""Contenders that take turns on one machine: a process each, blocks of steps, ratios of neighbours.

While one works the others wait for a line, so that a busy moment of the machine meets all alike;
what is told is the ratio of blocks that followed each other, its median and its quartiles.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REST = 0.1
"""Seconds between two blocks, in which threads that wait by spinning fall asleep."""


@dataclass(frozen=True)
class Ratio:
    """How many times as fast: the median of pairs of blocks, and their quartiles."""

    median: float
    low: float
    high: float
    pairs: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, slow: Sequence[float], fast: Sequence[float]) -> Ratio:
        """Of times that were measured in turn, pair by pair. ValueError for none, or unequal."""
        pairs = [a / b for a, b in zip(slow, fast, strict=True)]
        if not pairs:
            raise ValueError("no pair was measured")
        low, middle, high = quartiles(pairs)
        return cls(*(rounded(value) for value in (middle, low, high)), [*map(rounded, pairs)])


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The first quartile, the median and the third, between neighbours by proportion."""
    if len(values) == 1:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def rounded(value: float, digits: int = 4) -> float:
    """The number with so many digits that count."""
    return float(f"{value:.{digits}g}")


def environment(scratch: Path, threads: int | None) -> dict[str, str]:
    """What every contender finds: its own caches, and as many threads as it likes or is told."""
    own = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    place = os.pathsep.join([str(HERE.parent), *filter(None, [own.get("PYTHONPATH")])])
    own |= {"XDG_CACHE_HOME": str(scratch / "cache"), "PYTHONPATH": place}
    return own | ({"OMP_NUM_THREADS": str(threads)} if threads else {})


class Contender:
    """A process that makes steps when it is asked to, and says how long they took.

    RuntimeError with the end of what it wrote when it dies.
    """

    def __init__(self, words: Sequence[str], env: dict[str, str], log: Path):
        self.log, self.began = log, time.perf_counter()
        with log.open("wb") as told:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "contender.py"), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
                env=env,
                text=True,
            )

    def heard(self) -> dict[str, Any]:
        """Its next line."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            end = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.process.args} ended with {code}:\n{end}")
        return dict(json.loads(line))

    def ask(self, **order: Any) -> dict[str, Any]:
        """What it answers to an order."""
        assert self.process.stdin
        self.process.stdin.write(f"{json.dumps(order)}\n")
        self.process.stdin.flush()
        return self.heard()

    def first(self) -> float:
        """Seconds from the start of the process to the end of its first step."""
        self.heard()
        return time.perf_counter() - self.began

    def end(self) -> None:
        """Let it go."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@dataclass
class Entry:
    """A contender in a race: what to start, steps before a block is timed, and what came of it.

    `steps`: of a block; None for as many as take the seconds of the race. `counts`: whether the
    operations of a step can be counted.
    """

    words: Sequence[str]
    warm: int = 1
    steps: int | None = None
    counts: bool = True
    blocks: list[dict[str, Any]] = field(default_factory=list)
    tally: dict[str, Any] = field(default_factory=dict)

    @property
    def ms(self) -> list[float]:
        """Milliseconds of a step in each block."""
        return [1000 * block["seconds"] / block["steps"] for block in self.blocks]


def race(
    entries: dict[str, Entry], env: dict[str, str], scratch: Path, pairs: int, seconds: float
) -> None:
    """Let the entries run in turn, `pairs` blocks each of about so many seconds."""
    runs: dict[str, Contender] = {}
    try:
        for name, entry in entries.items():
            runs[name] = Contender(entry.words, env, scratch / f"{name}.log")
        for run in runs.values():
            run.first()
        for name, entry in entries.items():
            if entry.steps is None:
                once = runs[name].ask(warm=entry.warm + 2, steps=2)
                entry.steps = max(2, math.ceil(2 * seconds / max(once["seconds"], 1e-6)))
        for turn in range(pairs):
            order = [*entries] if turn % 2 == 0 else [*reversed(entries)]
            for name in order:
                time.sleep(REST)
                asked = {"warm": entries[name].warm, "steps": entries[name].steps}
                entries[name].blocks.append(runs[name].ask(**asked))
        for name, run in runs.items():
            entries[name].tally = run.ask(tally=entries[name].counts)
    finally:
        for run in runs.values():
            run.end()


def machine(device: str = "cpu") -> dict[str, Any]:
    """What the numbers were measured on; nothing that names the machine or a path of it."""
    import torch

    from gan_cli.circumstances import found

    told = found(device, "float32", 1, deterministic=False)
    known = ("processor", "CPU capability", "system", "python", "torch", "GPU", "device")
    return {key: told[key] for key in known if key in told} | {
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if told["device"] == "cuda" else None,
    }


def when() -> dict[str, Any]:
    """The day, and which commit of the source, if it is one."""
    asked = ["git", "-C", str(HERE.parent), "rev-parse", "--short", "HEAD"]
    try:
        commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        commit = ""
    return {"measured": date.today().isoformat(), "commit": commit or None}


def kept(path: Path, name: str, case: dict[str, Any], device: str = "cpu") -> None:
    """Put a case into the file of results; those of another machine are dropped."""
    here = machine(device)
    found = json.loads(path.read_text()) if path.is_file() else {}
    cases = found.get("cases", {}) if found.get("machine") == here else {}
    cases[name] = case | when()
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": here, "cases": cases}, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n")
