"""How fast gan trains as things grow: the batch, the networks, the data, the ranks, the run.

    python benchmarks/growth.py                 # everything: five minutes of two cores
    python benchmarks/growth.py batch length    # some of it; the rest is kept
    python benchmarks/growth.py --quick --json FILE
    python benchmarks/growth.py --write         # only the pictures and the page

writes benchmarks/results/growth.json, and a picture of each curve into docs/images.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line says before torch loads
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import torch
from torch import multiprocessing

from benchmarks.chart import Chart, Line, chart
from benchmarks.race import kept, rounded
from benchmarks.speed_page import write
from benchmarks.stepping import stepping
from gan_cli import cli, dist, train
from gan_cli.dataset.source import Resident
from gan_cli.fast import pick_device
from gan_cli.launcher import Place

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "growth.json"
IMAGES = ROOT / "docs" / "images"
REPEATS = 3
GAMES = {"MLP": "model=mlp", "DCGAN, width 32": "model=dcgan model.width=32"}
"""What is trained on MNIST in every curve but that of the width."""

Case = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """The device, and how long one rate is measured, in seconds; whether it only has to run."""

    device: str = "cpu"
    seconds: float = 1.0
    quick: bool = False


def timed(*words: str, device: str) -> Callable[[int], float]:
    """Steps of a game: told a number of them, it says the seconds that they took."""
    made, play = stepping(*words, f"hardware.device={device}")

    def run(steps: int) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            play()
        if made.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    return run


def rates(runs: dict[str, Callable[[int], float]], asked: Asked) -> dict[str, float]:
    """Steps a second of each, measured in turn so that a busy moment meets all: the medians."""
    steps = {}
    for name, run in runs.items():
        once = run(1 if asked.quick else 3)
        steps[name] = max(1, int(asked.seconds * (1 if asked.quick else 3) / once))
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(1 if asked.quick else REPEATS):
        for name, run in runs.items():
            found[name].append(steps[name] / run(steps[name]))
    return {name: statistics.median(values) for name, values in found.items()}


def batch(asked: Asked) -> Case:
    """Images a second against the size of a batch."""
    sizes = (8, 64) if asked.quick else (8, 16, 32, 64, 128, 256, 512)
    lines = {}
    for name, words in GAMES.items():
        runs = {
            str(size): timed(
                "dataset=mnist", *words.split(), f"batch_size={size}", device=asked.device
            )
            for size in sizes
        }
        lines[name] = [
            round(size * r) for size, r in zip(sizes, rates(runs, asked).values(), strict=True)
        ]
    return {"x": "batch_size", "at": sizes, "y": "images a second", "lines": lines}


def width(asked: Asked) -> Case:
    """Images a second against the width of the networks."""
    widths = {"MLP": (64, 128, 256, 512, 1024), "DCGAN": (8, 16, 32, 64, 128)}
    at = range(2 if asked.quick else 5)
    lines = {}
    for name, some in widths.items():
        runs = {
            str(some[i]): timed(
                "dataset=mnist",
                f"model={name.lower()}",
                f"model.width={some[i]}",
                device=asked.device,
            )
            for i in at
        }
        lines[name] = [round(64 * rate) for rate in rates(runs, asked).values()]
    return {
        "x": "times the narrowest: 64 of the MLP, 8 of the DCGAN",
        "at": [2**i for i in at],
        "y": "images a second",
        "lines": lines,
        "widths": {name: [some[i] for i in at] for name, some in widths.items()},
    }


def images(asked: Asked) -> Case:
    """Microseconds of a batch of 64, and seconds to open, against the number of images."""
    sizes = (1_000, 10_000) if asked.quick else (1_000, 10_000, 100_000, 1_000_000)
    opened, batches = [], []
    device = pick_device(asked.device)
    for n in sizes:
        random = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (n, 1, 28, 28), dtype=torch.uint8, generator=random)
        began = time.perf_counter()
        feed = Resident.of(pixels, None, ()).open(64, 0, device)
        feed(0)
        opened.append(rounded(time.perf_counter() - began))
        times = []
        for i in range(1, 200):  # within an epoch, and across its end where there is one
            began = time.perf_counter()
            feed(i)
            times.append(time.perf_counter() - began)
        batches.append(rounded(1e6 * statistics.median(times)))
    lines = {"a batch, microseconds": batches, "opening, microseconds": [1e6 * s for s in opened]}
    return {"x": "images of 28×28", "at": sizes, "y": "microseconds", "lines": lines}


def ranks(asked: Asked) -> Case:
    """Images a second on one rank and on two, a thread each."""
    lines: dict[str, list[int]] = {name: [] for name in GAMES}
    for n in (1, 2):
        with tempfile.TemporaryDirectory() as place:
            multiprocessing.spawn(_rank, (n, place, asked), nprocs=n)
            found = json.loads(Path(place, "rates.json").read_text())
        for name, rate in found.items():
            lines[name].append(round(64 * rate))
    return {"x": "ranks, a thread each", "at": [1, 2], "y": "images a second", "lines": lines}


def _rank(number: int, size: int, folder: str, asked: Asked) -> None:
    place = Place(number, size, number, "127.0.0.1", 29500 + os.getppid() % 200 + size)
    found = {}
    with dist.joined(place if size > 1 else None):
        for name, words in GAMES.items():
            typed = ["dataset=mnist", *words.split(), "hardware.threads=1"]
            run = timed(*typed, device="cpu")
            run(2)
            steps = int(
                dist.told(2 if asked.quick else max(3, int(3 * asked.seconds / run(3) * 3)))
            )
            found[name] = statistics.median(steps / run(steps) for _ in range(REPEATS))
    if number == 0:
        Path(folder, "rates.json").write_text(json.dumps(found))


def length(asked: Asked) -> Case:
    """Steps a second and memory as a run goes on: the whole `gan train`, from first to last."""
    steps, parts = (200, 4) if asked.quick else (24_000, 24)
    words = f"dataset=digits model=mlp model.width=32 steps={steps} hardware.device={asked.device}"
    beside = Growing(steps // parts)
    plain, own = train.launch, sys.stdout
    with tempfile.TemporaryDirectory() as place, Path(os.devnull).open("w") as nobody:
        train.launch = lambda *a, **k: plain(*a, **k, beside=beside)
        sys.stdout = nobody
        try:
            code = cli.main(["train", *words.split(), f"outputs={place}", "hardware.threads=1"])
        finally:
            train.launch, sys.stdout = plain, own
    if code:
        raise RuntimeError(f"gan train {words} ended with {code}")
    return {
        "x": "step",
        "at": [(part + 1) * steps // parts for part in range(parts)],
        "y": "steps a second; MB",
        "lines": {"steps a second": beside.rates, "memory, MB": beside.held},
    }


class Growing:
    """Goes along with a run: how fast its parts are, and how much memory there is after each."""

    def __init__(self, every: int):
        self.every, self.began = every, time.perf_counter()
        self.rates: list[float] = []
        self.held: list[float] = []

    def begins(self, fingerprint: str) -> None:
        """Told before the first step."""
        self.began = time.perf_counter()

    def __call__(self, step: int) -> str:
        """Told after each step."""
        if step % self.every == 0:
            now = time.perf_counter()
            self.rates.append(rounded(self.every / (now - self.began)))
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.held.append(round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1))
            self.began = now
        return ""


CASES: dict[str, Callable[[Asked], Case]] = {
    "batch": batch,
    "width": width,
    "images": images,
    "ranks": ranks,
    "length": length,
}
TITLES = {
    "batch": ("A larger batch", "gan's step on MNIST"),
    "width": ("Wider networks", "gan's step on MNIST, batches of 64; widths from 64 and from 8"),
    "images": ("More data", "images in memory: opening them, and one batch of 64"),
    "ranks": ("More ranks", "gan's step on MNIST, 64 images shared out"),
    "length": ("A longer run", "the whole gan train, on 8×8 digits, part by part"),
}


LINEAR = {"length": ("linear", "linear"), "ranks": ("log", "linear")}
"""The scales of curves where not both are logarithmic."""


def pictures(cases: dict[str, Case], place: Path = IMAGES) -> Iterator[Path]:
    """Draw each curve into a PNG."""
    for name, case in cases.items():
        title, text = TITLES[name]
        scales = LINEAR.get(name, ("log", "log"))
        lines = [Line(who, case["at"], values) for who, values in case["lines"].items()]
        drawn = Chart(title, text, case["x"], case["y"], lines, scales)
        yield chart(drawn, place / f"growth-{name}.png")


def main(argv: Sequence[str]) -> None:
    """Measure what is asked for, keep it, and draw it."""
    parser = argparse.ArgumentParser(description="how gan's speed grows")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true", help="only the pictures and the page")
    said = parser.parse_args(argv)
    if unknown := [name for name in said.cases if name not in CASES]:
        parser.error(f"{unknown[0]}: there is no such case; there are {', '.join(CASES)}")
    asked = Asked(said.device, 0.05 if said.quick else 1.0, said.quick)
    for name in () if said.write else said.cases or CASES:
        case = CASES[name](asked)
        kept(said.json, name, case, said.device)
        sys.stdout.write(f"{name}: {case['at']} {case['lines']}\n")
        sys.stdout.flush()
    if said.json == RESULTS:
        for path in pictures(json.loads(said.json.read_text())["cases"]):
            sys.stdout.write(f"{path.name}\n")
        write()


if __name__ == "__main__":
    main(sys.argv[1:])
