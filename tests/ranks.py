"""Several ranks on this machine: what two processes come to, and what one does."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, multiprocessing

from gan_cli import build, dist, session
from gan_cli.batch import Batch
from gan_cli.launcher import Place
from gan_cli.randomness import reseed
from tests.games import composed

State = dict[str, Tensor]


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def spawn(task: Callable[[Any], Any], asked: Any, ranks: int, folder: Path) -> list[Any]:
    """What `task(asked)` gives on each of so many ranks."""
    port = free_port()
    args = (ranks, port, task, asked, str(folder))
    multiprocessing.spawn(_rank, args, nprocs=ranks)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(ranks)]


def _rank(
    rank: int, ranks: int, port: int, task: Callable[[Any], Any], asked: Any, folder: str
) -> None:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    with dist.joined(Place(rank, ranks, rank, "127.0.0.1", port)):
        dist.use(torch.device("cpu"))
        found = task(asked)
    torch.save(found, Path(folder) / f"{rank}.pt")


def configured(game: str) -> dict[str, Any]:
    """The configuration of a small game; composed once, for it takes longer than the game."""
    return composed("batch_size=8", "hardware.threads=1", "ema.half_life=100", *game.split())


def played(games: list[dict[str, Any]], steps: int = 2) -> list[State]:
    """The state of each game after some steps, in float64."""
    with doubles():
        return [_played(config, steps) for config in games]


@contextlib.contextmanager
def doubles() -> Any:
    """Everything in float64, for as long as it lasts."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _played(config: dict[str, Any], steps: int) -> State:
    made = session.make(config, build.parts(config), torch.device("cpu"))
    for step in range(steps):
        reseed(0, step)
        count = made.method.batches_per_step
        batches = (doubled(made.feed(i)) for i in range(step * count, (step + 1) * count))
        made.step(batches, step)
    return {name: tensor.clone() for name, tensor in made.method.state().items()}


def doubled(batch: Batch) -> Batch:
    """The batch in float64."""
    c = batch.c
    return Batch(batch.x.double(), c.double() if c is not None and c.is_floating_point() else c)
