"""Runs of a moment that are watched, for tests of looks and policies."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli import state, train
from gan_cli.train import launch
from tests.games import composed

SMALL = (
    "model=mlp",
    "model.width=8",
    "steps=24",
    "batch_size=8",
    "log_every=5",
    "sample_every=24",
    "checkpoint_every=4",
    "tensorboard=false",
    "hardware.threads=1",
    "diagnose.every=2",
    "diagnose.n=16",
)
LOST = ("optimizer.lr=0.5",)
"""What makes such a run red."""


def run(
    directory: Path, *overrides: str, stop_after: int = 0, swap: dict[str, Any] | None = None
) -> Path:
    """Train in that directory, with what is to be swapped of the configuration; with `stop_after`,
    a SIGTERM arrives during the step of that number, counted over everything that is done."""
    typed = [*SMALL, *overrides]
    config = composed(*typed) | {"run_dir": str(directory)}  # it is composed once for all runs
    config |= swap or {}
    pace, paced = train._pace, 0

    def interrupted(session: Any, step: int) -> Any:
        nonlocal paced
        paced += 1
        if paced == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        return pace(session, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_pace", interrupted)
        launch(config, {"dataset": "digits"}, typed, ["gan", "train", *typed])
    return directory


def rows(directory: Path, name: str = "diagnosis.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / name).read_text().splitlines()]


def tensors(directory: Path) -> dict[str, torch.Tensor]:
    found = state.newest(directory / "checkpoints")
    assert found is not None
    return found.checkpoint.tensors


def alike(a: Path, b: Path) -> bool:
    """Whether the newest checkpoints hold the same, bit for bit, and the rows are the same."""
    one, other = tensors(a), tensors(b)
    same = one.keys() == other.keys() and all(one[key].equal(other[key]) for key in one)
    names = ("metrics.jsonl", "diagnosis.jsonl")
    return same and all((a / n).read_bytes() == (b / n).read_bytes() for n in names)
