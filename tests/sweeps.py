"""Runs without training, for what is tested of sweeps: their directories are as of real ones."""

from __future__ import annotations

import copy
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write

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


NUMBERS = ("seed", "steps", "batch_size", "optimizer.lr")
COMPOSED: dict[tuple[Any, ...], DictConfig] = {}


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra composes what is chosen once, and numbers are set in a copy: a tenth of the time."""
    load = ConfigLoaderImpl.load_configuration

    def loaded(
        self: ConfigLoaderImpl,
        config_name: str,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        numbers = [text for text in overrides if PLAIN.fullmatch(text)]
        rest = [text for text in overrides if text not in numbers]
        key = (config_name, run_mode, from_shell, validate_sweep_overrides, *rest)
        if key not in COMPOSED:
            COMPOSED[key] = load(self, *key[:1], rest, *key[1:4])
        config = copy.deepcopy(COMPOSED[key])
        for name, _, value in (number.partition("=") for number in numbers):
            OmegaConf.update(config, name, yaml.safe_load(value))
        if numbers:
            task = [text for text in overrides if not text.startswith("hydra")]
            with read_write(config):
                config.hydra.overrides.task = task
        return config

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", loaded)


PLAIN = re.compile(rf"({'|'.join(map(re.escape, NUMBERS))})=(\d+(\.\d+)?(e-?\d+)?)")


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pretended:
    """No training, in an empty working directory."""
    launched, module = Pretended(), ModuleType("gan_cli.train")
    module.launch = launched.launch  # type: ignore[attr-defined]
    quick(monkeypatch)
    monkeypatch.setitem(sys.modules, "gan_cli.train", module)
    monkeypatch.setattr(record, "_git", lambda: None)  # a process each time
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    return launched
