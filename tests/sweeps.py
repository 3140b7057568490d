"""Runs without training, for what is tested of sweeps: their directories are as of real ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gan_cli import record
from gan_cli.errors import UserMistake
from gan_cli.run import Run
from gan_cli.status import Telling
from gan_cli.tail import last_row


class Pretended:
    """Stands for gan_cli.train: writes a row a step, and ends as it is told to, by the seed."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], list[str]]] = []
        self.ends: dict[int, BaseException] = {}

    @property
    def overrides(self) -> list[list[str]]:
        """Of each call, since this was asked last."""
        found, self.calls = [call[1] for call in self.calls], []
        return found

    def launch(
        self, config: dict[str, Any], choices: dict[str, str], overrides: list[str], argv: list[str]
    ) -> None:
        """As gan_cli.train.launch; one that ends early has done half of its steps."""
        self.calls.append((config, overrides))
        end = self.ends.get(config["seed"])
        if isinstance(end, UserMistake):  # refused before anything is written
            raise end
        with Run.open(config, choices, overrides, argv) as run:
            start, steps = last_row(run.metrics).get("step", 0), config["steps"]
            if start >= steps:
                return
            with Telling(run.dir, start, steps), run.metrics.open("a") as rows:
                for step in range(start + 1, (steps if end is None else steps // 2) + 1):
                    rows.write(json.dumps({"step": step, "loss/d": 1.0, "loss/g": step}) + "\n")
                rows.flush()
                print(f"trained {run.dir.name}")
                if end is not None:
                    raise end


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pretended:
    """No training, in an empty working directory."""
    launched, module = Pretended(), ModuleType("gan_cli.train")
    module.launch = launched.launch  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gan_cli.train", module)
    monkeypatch.setattr(record, "_git", lambda: None)  # a process each time
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    return launched
