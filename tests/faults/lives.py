"""A small run that does all that a run can do, and what must be the same when it lived twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from gan_cli import container, show, state
from gan_cli import train as training
from gan_cli.plot.grid import QUICKEST
from gan_cli.record import Record
from gan_cli.status import Status
from gan_cli.train import launch
from tests.faults.dying import done
from tests.games import composed

show.QUICK = QUICKEST  # type: ignore[attr-defined]  # in every process alike

PLAIN = (
    "model=mlp",
    "model.width=8",
    "steps=8",
    "batch_size=8",
    "log_every=2",
    "sample_every=8",
    "checkpoint_every=2",
    "tensorboard=false",
    "hardware.threads=1",
    "diagnose.every=null",
)
"""A run of a moment."""

EVENTFUL = (
    *PLAIN,
    "steps=12",
    "checkpoint_every=4",
    "sample_every=6",
    "optimizer.lr=0.5",
    "diagnose.every=2",
    "diagnose.n=16",
    "metric=frechet",
    "extractor=raw",
    "evaluate_every=4",
    "evaluate_n=40",
    "policy=rewind",
    "policy.times=1",
    "tensorboard=true",
)
"""One that is measured and watched as well, goes back to its step 4, and is given up at 12."""

LOST = 7
"""The exit code of what was given up."""

WATCHED = (
    *(*PLAIN, "steps=12", "checkpoint_every=4", "sample_every=12", "diagnose.every=2"),
    *("diagnose.n=16", "policy=warn", "metric=frechet", "extractor=raw", "evaluate_every=4"),
    *("evaluate_n=40", "tensorboard=true"),
)
"""One that is measured and watched, and comes to its end."""

FULL = (*PLAIN, "tensorboard=true", "metric=frechet", "extractor=raw", "evaluate_every=4",
        "evaluate_n=40", "diagnose.every=2", "diagnose.n=16", "policy=warn")  # fmt: skip
"""The same, shorter."""


def train(directory: Path, *overrides: str) -> None:
    """What `gan train run_dir=DIRECTORY OVERRIDES` does, in this process."""
    typed = list(overrides)
    config = composed(*typed) | {"run_dir": str(directory)}
    launch(config, {"dataset": "digits", "model": "mlp"}, typed, ["gan", "train", *typed])


def stopped(run: Path, step: int, said: Path, *overrides: str) -> None:
    """Train in that directory, and die at the beginning of a step, counted from 0."""

    def dies() -> None:
        pace = training._pace

        def paced(session: Any, now: int) -> dict[str, float]:
            if now == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return pace(session, now)

        training._pace = paced
        train(run, *overrides)

    assert done(dies, said) == -signal.SIGKILL, said.read_text()


def alike(a: Path, b: Path) -> list[str]:
    """What of a run is not what it is of the other, bit for bit; both are whole."""
    names = {path.relative_to(a).as_posix() for path in a.rglob("*") if path.is_file()}
    same = [name for name in sorted(names) if name.endswith(_SAME) and not name.startswith("tens")]
    wrong = [name for name in same if not _equal(a / name, b / name)]
    newest = [state.steps(directory / "checkpoints")[0] for directory in (a, b)]
    told = [Status.read(directory) for directory in (a, b)]
    if newest[0] != newest[1]:
        wrong.append(f"checkpoints {newest}")
    if {(one.state, one.step, one.steps) for one in told[1:]} != {
        (one.state, one.step, one.steps) for one in told[:1]
    }:
        wrong.append(f"status {told}")
    if list(b.rglob(".gan-*")):
        wrong.append("leftovers")
    clocks = [[row["step"] for row in _rows(d / "clock.jsonl")] for d in (a, b)]
    if clocks[0] != clocks[1]:
        wrong.append(f"clock.jsonl {clocks}")
    with contextlib.suppress(FileNotFoundError):
        if container.read(b / "generator.safetensors").meta["step"] != newest[1]:
            wrong.append("generator")
    Record.read(b)
    return wrong


_SAME = (".safetensors", "s.jsonl", ".png", "rewinds.json", "latest.json")


def _equal(a: Path, b: Path) -> bool:
    if not b.is_file():
        return False
    if a.suffix == ".safetensors":  # whose header may have its entries in another order
        return container.read(a).sha256 == container.read(b).sha256
    return a.read_bytes() == b.read_bytes()


def _rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
