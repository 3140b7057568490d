"""A run's record as something to be trained again: its settings, composed anew and held against
those that it had, and its sessions."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_cli import cli_keys
from gan_cli.circumstances import Circumstances, changed, told
from gan_cli.cli_compose import Composer, Sources, plain
from gan_cli.cli_diagnose import Diagnosis, diagnose
from gan_cli.cli_resume import as_made, other
from gan_cli.cli_train import canonical
from gan_cli.errors import UserMistake
from gan_cli.record import Record, differences, flat
from gan_cli.reproduce.stages import Stage, stages
from gan_cli.run import CONTROL, WHERE, key_of
from gan_cli.strict import clean

Config = dict[str, Any]

HARDWARE = "hardware"
MAY = CONTROL | WHERE
"""Keys that say where things are: another place is no other run."""


@dataclass(frozen=True)
class Plan:
    """A run to be trained again: how it was made, its settings, and what is typed for them.

    settings: what gan has by another default now, in words; the run's own values are used.
    """

    run: Path
    record: Record
    config: Config
    choices: dict[str, str]
    overrides: list[str]
    settings: list[str]
    asked: list[str]

    @classmethod
    def make(cls, run: Path, asked: list[str], sources: Sources) -> Plan:
        """Read and compose it. Raises UserMistake and BadFile."""
        record = Record.read(run)
        _refuse_others(run, record, asked)
        overrides = as_made(run, record, asked, sources)
        composer = Composer(sources, overrides)
        diagnose(composer, overrides, multirun=False).complain()
        composed = composer.compose(overrides)
        config, settings = adopted(run, plain(composed), record.config)
        Diagnosis(cli_keys.check(config, composer.groups)).complain()
        named = composed.hydra.runtime.choices.items()
        choices = {str(g): str(c) for g, c in named if str(g).partition("/")[0] != "hydra"}
        return cls(run, record, config, choices, canonical(overrides), settings, asked)

    def sessions(self, end: int, begin: int) -> list[Stage]:
        """The sessions to be trained again, one after the other."""
        return stages(self.record, end, begin)

    def configured(self, stage: Stage, out: Path) -> Config:
        """The settings of a session: its budget, and the hardware that it had, where that is here
        and nothing else is asked for now."""
        config = copy.deepcopy(self.config) | {"run_dir": str(out), "fresh": False}
        if stage.steps is not None:
            config |= {"steps": stage.steps, "images": None, "epochs": None}
        typed = {key_of(text).partition(".")[2] for text in self.asked}
        had = {key: value for key, value in _had(stage.circumstances).items() if key not in typed}
        config[HARDWARE] |= {"ranks": "torchrun"} | had
        return config


def _had(before: Circumstances) -> Config:
    """The hardware of a session, as settings, where this machine has it."""
    from gan_cli.fast import as_settings

    return as_settings(before, os.cpu_count() or 1)


def differing(plan: Plan, found: list[Stage], out: Path) -> list[str]:
    """What is not as it was when a session was trained, in words, each once."""
    from gan_cli.build import parts

    lines: list[str] = []
    for stage in found:
        hardware = parts(plan.configured(stage, out)).hardware
        now = hardware.circumstances(hardware.claim())
        line = told(changed(stage.circumstances, now, without=("OMP_NUM_THREADS", "data")))
        if line and line not in lines:
            lines.append(line)
    return [clean(line, 400) for line in lines]


def adopted(run: Path, config: Config, stored: Config) -> tuple[Config, list[str]]:
    """The settings with the run's own values where gan's defaults have changed since; which.

    Only numbers and words are taken from the record, never what names code: UserMistake where
    those don't do. What gan did not have then stays at its default.
    """
    config, before, now = copy.deepcopy(config), flat(stored), flat(config)
    notes = []
    for key, text in differences(before, now).items():
        if key in MAY or key.partition(".")[0] == HARDWARE or key not in before:
            continue
        if key not in now or not _harmless(key, before[key]):
            raise UserMistake(
                f"{clean(run)} can't be repeated by this gan ({clean(text, 300)}): "
                f"the one that made it is {clean(stored.get('gan', 'told in its run.json'))}"
            )
        *path, last = key.split(".")
        inner = config
        for name in path:
            inner = inner[name]
        inner[last] = before[key]
        notes.append(clean(text, 300))
    return config, notes


def _harmless(key: str, value: Any) -> bool:
    """Whether it is a setting, of numbers and words, and no code to be called."""
    values = value if isinstance(value, list) else [value]
    simple = all(one is None or isinstance(one, int | float | str) for one in values)
    return simple and not any(part.startswith("_") for part in key.split("."))


def _refuse_others(run: Path, record: Record, asked: list[str]) -> None:
    changed_settings = {
        key: text
        for key, text in other(record, asked).items()
        if key not in WHERE | {"data_root"} and not key.startswith(f"{HARDWARE}.")
    }
    if changed_settings:
        raise UserMistake(
            "\n  ".join([f"{clean(run)} was made with other settings:", *changed_settings.values()])
            + "\nwhat may be given: hardware.* and where the data are; a run of other settings is "
            "one of its own: gan train"
        )
