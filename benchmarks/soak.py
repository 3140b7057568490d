"""An hour of everything, watched from outside: memory, file handles, threads, and the rows kept.

    python benchmarks/soak.py --minutes 60

One process trains all the time (with looks, evaluations, samples, checkpoints and TensorBoard, each
many hundred times), another calls the other verbs over and over without ever ending. Every ten
seconds, and after every cycle, it is noted what they hold. Writes benchmarks/results/soak.json,
prints the verdict, and exits with 1 where something grew, or a row is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "soak.json"
EVERY = 10.0
"""Seconds between two looks at the process that trains."""

WARM = 0.25
"""The share at the beginning of which nothing is concluded: caches fill, allocators settle."""

BLOCKS = 10
"""Parts of what follows, of which each gives one mean: neighbours in time are much alike."""

T95 = 2.306
"""The 97.5 % point of Student's t with BLOCKS - 2 degrees of freedom."""

GROWTH = 10.0
"""MB an hour that count as none."""

COMMON = "dataset=digits batch_size=32 hardware.threads=1".split()
TRAINING = (
    "model=dcgan model.width=8 steps=100000000 log_every=5 sample_every=200 checkpoint_every=150 "
    "evaluate_every=400 evaluate_n=200 metric=[sliced_wasserstein] diagnose.every=100 diagnose.n=64"
).split()
SMALL = (
    "model=mlp model.width=16 steps=20 log_every=5 sample_every=10 checkpoint_every=10 "
    "evaluate_every=10 evaluate_n=100 metric=[sliced_wasserstein] diagnose.every=5 diagnose.n=32"
).split()


@dataclass(frozen=True)
class Held:
    """What a process holds at a moment: megabytes of memory, file handles, threads."""

    seconds: float
    memory: float
    handles: int
    threads: int

    @classmethod
    def of(cls, pid: int, since: float) -> Held:
        """What the process of that number holds now. Raises OSError where it has ended."""
        process = Path(f"/proc/{pid}")
        pages = int((process / "statm").read_text().split()[1])
        return cls(
            seconds=round(time.monotonic() - since, 1),
            memory=round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 3),
            handles=sum(1 for _ in (process / "fd").iterdir()),
            threads=sum(1 for _ in (process / "task").iterdir()),
        )


# ── the process that does everything but train for long ─────────────────────────────────────────


def call(*words: str) -> int:
    """`gan WORDS` in this process; its exit code."""
    from gan_cli.cli import main

    return main(list(words))


def serve() -> int:
    """`gan serve` with some requests, ended by Ctrl-C as a user would; its exit code."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]

    def visit() -> None:
        where = f"http://127.0.0.1:{port}"
        for _ in range(200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(where, timeout=5).read()
                break
            time.sleep(0.05)
        for path in ("api/about", "api/draw?seed=1&n=16", "api/draw?seed=2&n=4"):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{where}/{path}", timeout=5).read()  # noqa: S310
        os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit)
    visitor.start()
    code = call("serve", "--ckpt", "base", "--port", str(port), "--device", "cpu")
    visitor.join()
    return code


def verbs(number: int) -> dict[str, Callable[[], int]]:
    """What a cycle does, in order: the verbs in the working directory, each by its name."""
    sweep = ["outputs=swept", "hydra.sweep.dir=swept/all", f"seed={number},{number + 1}"]
    asked = {
        "sample": ("sample", "--ckpt", "base", "--out", "s.png", "--seed", str(number)),
        "evaluate": (
            *("evaluate", "--ckpt", "base", "--metrics", "sliced_wasserstein,prdc", "--n", "200"),
            *("--extractor", "random", "--seed", str(number), "--out", "e.json"),
        ),
        "train -m": ("train", "-m", *COMMON, *SMALL, *sweep),
        "compare": ("compare", "swept/all", "base", "--curves", "c.png", "--grids", "g.png"),
        "report": ("report", "swept/all", "--runs"),
        "list": ("list", "swept"),
        "list losses": ("list", "losses"),
        "doctor": ("doctor", "base", "--plot", "d.png"),
        "export": ("export", "--ckpt", "base", "--out", "exported"),
        "a mistake": ("train", "model.width=no"),
    }
    return {name: partial(call, *words) for name, words in asked.items()} | {"serve": serve}


def cycle(number: int, left_out: Collection[str] = ()) -> dict[str, int]:
    """Every verb once, but for those left out; the exit code of each."""
    for name in ("swept", "exported"):
        shutil.rmtree(name, ignore_errors=True)
    found = {name: do() for name, do in verbs(number).items() if name not in left_out}
    gc.collect()
    return found


CODES = {"serve": {130}, "a mistake": {2}, "doctor": {0, 1}}
"""The exit codes that are expected where they are not 0; that of a doctor is as the run is."""


def odd(name: str, code: int) -> bool:
    """Whether a verb should not have ended so."""
    return code not in CODES.get(name, {0})


def cycles(
    place: Path, least: int, until: float = 0.0, left_out: Collection[str] = ()
) -> Iterator[tuple[Held, dict[str, int], int]]:
    """Cycles in that directory until it is that time (monotonic): what is held, codes, objects."""
    since, number = time.monotonic(), 0
    with contextlib.chdir(place):
        if not Path("base").is_dir():
            call("train", *COMMON, *SMALL, "run_dir=base")
        while number < least or time.monotonic() < until:
            codes = cycle(number, left_out)
            yield Held.of(os.getpid(), since), codes, len(gc.get_objects())
            number += 1


def loop(place: Path, minutes: float) -> None:
    """Write a row of what is held after each cycle, until the time is over."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (place / "cycles.jsonl").open("a") as rows:
        for held, codes, objects in cycles(place, 1, time.monotonic() + 60 * minutes):
            rows.write(json.dumps(asdict(held) | {"codes": codes, "objects": objects}) + "\n")
            rows.flush()


# ── what is concluded ───────────────────────────────────────────────────────────────────────────


def settled(values: list[Any]) -> list[Any]:
    """What is noted after the beginning."""
    return values[int(WARM * len(values)) :]


def slope(helds: list[Held]) -> dict[str, float]:
    """The growth of memory in MB an hour by least squares, with an interval of 95 %."""
    later = settled(helds)
    parts = [part for part in np.array_split(np.arange(len(later)), BLOCKS) if len(part)]
    hours = np.array([np.mean([later[i].seconds for i in part]) for part in parts]) / 3600
    sizes = np.array([np.mean([later[i].memory for i in part]) for part in parts])
    away = hours - hours.mean()
    grows = float((away * sizes).sum() / (away**2).sum())
    left = sizes - sizes.mean() - grows * away
    error = float(np.sqrt((left**2).sum() / max(1, len(parts) - 2) / (away**2).sum()))
    low, high = grows - T95 * error, grows + T95 * error
    return {key: round(v, 2) for key, v in (("mean", grows), ("low", low), ("high", high))}


def constant(counts: list[int]) -> bool:
    """Whether a count that may be higher for moments has not grown: its least, and its median."""
    first, second = np.array_split(np.array(settled(counts)), 2)
    return bool(first.min() == second.min() and np.median(first) == np.median(second))


def told(helds: list[Held]) -> dict[str, Any]:
    """What a process held, and whether that is flat."""
    grows = slope(helds)
    found: dict[str, Any] = {
        "MB at first": settled(helds)[0].memory,
        "MB at last": helds[-1].memory,
        "MB an hour": grows,
        "memory is flat": grows["mean"] <= GROWTH or grows["low"] <= 0,
    }
    for name in ("handles", "threads"):
        counts = [getattr(held, name) for held in helds]
        later = settled(counts)
        found[name] = {"least": min(later), "most": max(later), "last": counts[-1]}
        found[f"{name} are flat"] = constant(counts)
    step = max(1, len(helds) // 120)
    return found | {"seen": [list(asdict(held).values()) for held in helds[::step]]}


def kept(run: Path) -> dict[str, Any]:
    """What a run has written, and whether its rows are the steps 1, 2, 3, … without a gap."""
    from gan_cli import state

    def lines(name: str) -> list[str]:
        return (run / name).read_text().splitlines()

    found = state.newest(run / "checkpoints")
    assert found is not None
    steps = found.checkpoint.meta["step"]
    rows = [json.loads(line)["step"] for line in lines("metrics.jsonl")]
    return {
        "steps": steps,
        "rows": len(rows),
        "rows are the steps": rows == list(range(1, steps + 1)),
        "looks": len(lines("diagnosis.jsonl")),
        "evaluations": len(lines("evaluations.jsonl")),
        "pictures": len(list((run / "samples").glob("step-*.png"))),
        "checkpoints": steps // 150,
    }


# ── the hour ────────────────────────────────────────────────────────────────────────────────────


def watched(place: Path, minutes: float) -> tuple[list[Held], int]:
    """Train beside the cycles for so long; what training held, and how it ended."""
    gan = [sys.executable, "-m", "gan_cli", "train", *COMMON, *TRAINING, "run_dir=training"]
    again = [sys.executable, str(Path(__file__).resolve()), "--minutes", str(minutes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    root = str(Path(__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))

    def start(command: list[str], log: str) -> subprocess.Popen[bytes]:
        with (place / log).open("wb") as out:
            return subprocess.Popen(
                command, cwd=place, env=environment, stdout=out, stderr=out, start_new_session=True
            )

    since = time.monotonic()
    training = start(gan, "training.log")
    other = start([*again, "--dir", str(place), "--loop"], "cycles.log")
    helds = []
    try:
        while time.monotonic() - since < 60 * minutes and training.poll() is None:
            with contextlib.suppress(OSError):
                helds.append(Held.of(training.pid, since))
            time.sleep(min(EVERY, 0.6 * minutes))
        other.wait(timeout=600)
    finally:
        for process in (training, other):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        ended = training.wait(timeout=120)
    return helds, ended


def soak(place: Path, minutes: float) -> dict[str, Any]:
    """The whole of it: what was done, what was held, and the verdict."""
    helds, ended = watched(place, minutes)
    rows = [json.loads(line) for line in (place / "cycles.jsonl").read_text().splitlines()]
    names = ("seconds", "memory", "handles", "threads")
    looped = [Held(*(row[name] for name in names)) for row in rows]
    ended_oddly = sorted(
        {f"{n}: {c}" for row in rows for n, c in row["codes"].items() if odd(n, c)}
    )
    objects = [row["objects"] for row in rows]
    one, other = told(helds) | kept(place / "training"), told(looped)
    other |= {"cycles": len(rows), "odd exit codes": ended_oddly}
    other |= {"objects at first": settled(objects)[0], "objects at last": objects[-1]}
    one["exit code"] = ended
    flat = ("memory is flat", "handles are flat", "threads are flat")
    well = all(part[name] for part in (one, other) for name in flat)
    return {
        "what": f"{minutes:g} minutes of training, and of every other verb in one process",
        "command": f"python benchmarks/soak.py --minutes {minutes:g}",
        "measured": date.today().isoformat(),
        "versions": {"python": platform.python_version(), "torch": version("torch")},
        "training is": " ".join(["gan train", *COMMON, *TRAINING]),
        "flat means": f"{GROWTH:g} MB an hour at most (or no growth that can be told from none) in "
        "the last three quarters; the least and the median of handles and threads stay the same",
        "well": well and ended == 143 and one["rows are the steps"] and not ended_oddly,
        "training": one,
        "cycles": other,
    }


def main(words: list[str]) -> int:
    """Do it, write it down, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--dir", type=Path, help="where the runs are (a temporary directory)")
    parser.add_argument("--loop", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.loop:
        loop(asked.dir, asked.minutes)
        return 0
    show: Callable[[str], object] = sys.stdout.write
    with contextlib.ExitStack() as stack:
        place = asked.dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        found = soak(place.resolve(), asked.minutes)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    for part in ("training", "cycles"):
        brief = {key: value for key, value in found[part].items() if key != "seen"}
        show(f"{part}: {json.dumps(brief)}\n")
    show(f"{'well' if found['well'] else 'NOT well'}: {asked.out}\n")
    return int(not found["well"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
