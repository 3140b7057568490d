"""Several ranks on this machine: what two processes come to, and what one does."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, multiprocessing

from gan_cli import build, dist, session
from gan_cli.batch import Batch
from gan_cli.cli import main
from gan_cli.launcher import Place
from gan_cli.randomness import reseed
from gan_cli.ranks import meeting
from tests.games import composed

State = dict[str, Tensor]


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def spawn(task: Callable[[Any], Any], asked: Any, ranks: int, folder: Path) -> list[Any]:
    """What `task(asked)` gives on each of so many ranks."""
    args = (ranks, free_port(), task, asked, str(folder))
    _started(_rank, args, ranks)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(ranks)]


def _started(task: Callable[..., None], args: tuple[Any, ...], ranks: int) -> None:
    """Run `task(rank, *args)` on each rank: forks of one process that has imported everything."""
    get_context("forkserver").set_forkserver_preload(["gan_cli.train", "tests.ranks"])
    multiprocessing.start_processes(task, args, nprocs=ranks, start_method="forkserver")


def _rank(
    rank: int, ranks: int, port: int, task: Callable[[Any], Any], asked: Any, folder: str
) -> None:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    with dist.joined(Place(rank, ranks, rank, "127.0.0.1", port)):
        dist.use(torch.device("cpu"))
        found = task(asked)
    assert not threads(), "the group of the ranks was not taken down"
    torch.save(found, Path(folder) / f"{rank}.pt")


def threads() -> list[str]:
    """The threads of this process that carry messages between ranks, where the system tells."""
    names = (path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))
    return [name for name in names if "gloo" in name]


@dataclass(frozen=True)
class Command:
    """A command that two ranks run, what is changed before on each of them, and what is not."""

    words: tuple[str, ...]
    spoil: Callable[[int, pytest.MonkeyPatch], None] | None = None


@dataclass(frozen=True)
class Said:
    """What a command came to on a rank; the threads are those left behind."""

    code: int
    stdout: str
    stderr: str
    threads: list[str]


def commanded(commands: list[Command], folder: Path) -> list[tuple[Said, Said]]:
    """What each `gan train …` came to on either of two ranks, one after the other."""
    ports = [free_port() for _ in commands]
    _started(_commanded, (commands, ports, str(folder)), 2)
    told = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]
    return list(zip(*told, strict=True))


def _commanded(rank: int, commands: list[Command], ports: list[int], folder: str) -> None:
    torch.set_num_threads(1)
    os.chdir(folder)
    told = [_command(rank, one, port) for one, port in zip(commands, ports, strict=True)]
    torch.save(told, Path(folder) / f"{rank}.pt")


def _command(rank: int, command: Command, port: int) -> Said:
    out, err = StringIO(), StringIO()
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        for name, value in place.items():
            patch.setenv(name, str(value))
        if command.spoil is not None:
            command.spoil(rank, patch)
        code = main(["train", *command.words])
        meeting._here.group = None
    return Said(code, out.getvalue(), err.getvalue(), threads())


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
