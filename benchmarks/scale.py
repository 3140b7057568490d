"""What several ranks cost and gain on this machine: DCGAN's step, and ways to average gradients.

    python benchmarks/scale.py

times one rank and two over gloo, the gradient of D averaged in one message after the backward
pass, a message a tensor, and in buckets while the backward pass still runs; writes
benchmarks/results/scale.json and prints it.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as together
from torch import Tensor, multiprocessing, nn

from gan_cli import build, dist, session
from gan_cli.launcher import Place
from gan_cli.randomness import reseed

RESULTS = Path(__file__).parent / "results" / "scale.json"
GAME = "dataset=mnist model=dcgan model.width=32 hardware.threads=1 batch_size=64"
STEPS, WARM, REPEATS = 12, 3, 5
BUCKET = 1 << 18
"""Numbers in a bucket: a megabyte."""


def timed(act: Callable[[], object], times: int) -> float:
    """The median time of one, in milliseconds."""
    found = []
    for _ in range(times):
        before = time.perf_counter()
        act()
        found.append(1000 * (time.perf_counter() - before))
    return statistics.median(found)


def stepping() -> float:
    """Milliseconds of a step of the game, on as many ranks as there are."""
    config = build.compose(*GAME.split(), f"data_root={os.environ.get('GAN_DATA', 'data')}")
    made = session.make(config, build.parts(config), torch.device("cpu"))
    steps = iter(range(WARM + STEPS))

    def step() -> None:
        number = next(steps)
        reseed(0, number)
        made.step(iter([made.feed(number)]), number)

    timed(step, WARM)
    return timed(step, STEPS)


def averaging() -> dict[str, float]:
    """Milliseconds of D's backward pass with its gradient averaged, in three ways."""
    torch.manual_seed(0)
    config = build.compose(*GAME.split())
    D = build.parts(config).model.discriminator((1, 28, 28))
    weights = list(D.parameters())
    x = torch.randn(32, 1, 28, 28)

    def slopes() -> tuple[Tensor, ...]:
        return torch.autograd.grad(D(x, None).mean(), weights)

    def singly() -> None:
        for slope in slopes():
            together.all_reduce(slope)

    ways: dict[str, Callable[[], object]] = {
        "no average": slopes,
        "one message": lambda: dist.mean(slopes()),
        "a message a tensor": singly,
        "overlapped buckets": lambda: overlapped(D, x, weights),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(REPEATS):  # in turn, so that a busy moment meets all
        for name, way in ways.items():
            found[name].append(timed(way, STEPS))
    return {name: round(min(times), 2) for name, times in found.items()}


def overlapped(D: nn.Module, x: Tensor, weights: list[nn.Parameter]) -> None:
    """The gradient, sent in buckets as they fill while the backward pass goes on."""
    waiting: list[Tensor] = []
    sent: list[tuple[Any, Tensor]] = []

    def flush() -> None:
        flat = torch.cat(waiting)
        sent.append((together.all_reduce(flat, async_op=True), flat))
        waiting.clear()

    def note(slope: Tensor) -> None:
        waiting.append(slope.detach().reshape(-1))
        if sum(one.numel() for one in waiting) >= BUCKET:
            flush()

    hooks = [weight.register_hook(note) for weight in weights]
    torch.autograd.grad(D(x, None).mean(), weights)
    if waiting:
        flush()
    for work, flat in sent:
        work.wait()
        flat.div_(dist.size())
    for hook in hooks:
        hook.remove()


def rank(number: int, ranks: int, folder: str) -> None:
    """Measure as one of so many ranks."""
    torch.set_num_threads(1)
    place = Place(number, ranks, number, "127.0.0.1", 29700 + os.getppid() % 200 + ranks)
    with dist.joined(place if ranks > 1 else None):
        found: dict[str, Any] = {"step_ms": round(stepping(), 1)}
        if ranks > 1:
            found["backward_ms"] = averaging()
    if number == 0:
        Path(folder, f"{ranks}.json").write_text(json.dumps(found))


def main() -> None:
    """Measure on one rank and on two, and write what came out."""
    with tempfile.TemporaryDirectory() as folder:
        for ranks in (1, 2):
            multiprocessing.spawn(rank, (ranks, folder), nprocs=ranks)
        one, two = (json.loads(Path(folder, f"{n}.json").read_text()) for n in (1, 2))
    speed = {"1": round(64e3 / one["step_ms"]), "2": round(64e3 / two["step_ms"])}
    ways = two["backward_ms"]
    told = {
        "game": GAME,
        "images_per_second": speed,
        "speedup": round(speed["2"] / speed["1"], 2),
        "backward_ms": ways,
        "overlapped_to_one_message": round(ways["overlapped buckets"] / ways["one message"], 2),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
    }
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")
    sys.stdout.write(RESULTS.read_text())


if __name__ == "__main__":
    main()
