"""The jobs of a sweep, from what was typed: named by what differs, each with a run of its own."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobRuntime
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from gan_cli.cli_compose import Composer, in_words, words
from gan_cli.cli_train import canonical
from gan_cli.errors import UserMistake
from gan_cli.run import BUDGET, CONTROL, key_of, name
from gan_cli.study.ledger import Job

SWEEPS = "sweeps"
"""The directory of sweeps, among the runs."""

FILE = "experiment"
"""The group of which a file says what is varied."""

WORDS = 80
"""Characters of what is varied in the name of a study, at most."""


@dataclass(frozen=True)
class Plan:
    """A sweep: where its ledger is, its jobs, and the configuration that all of them share.

    `natural`: the directory each run would have by itself.
    """

    directory: Path
    jobs: list[Job]
    config: DictConfig
    context: HydraContext

    @property
    def natural(self) -> dict[str, str]:
        """The run directory of each job, by its name, as a command for it alone would have it."""
        return {job.name: job.run for job in self.jobs}

    @property
    def launcher(self) -> str:
        """The name of the launcher that was chosen."""
        return str(self.config.hydra.runtime.choices["hydra/launcher"])


def make(composer: Composer, overrides: list[str]) -> Plan:
    """The plan of a command that is a sweep. Raises UserMistake for one that can't be right."""
    config = _shared(composer, overrides)
    parsed = [composer.parse(text) for text in overrides]
    parsed = [*_kept(composer, config), *(o for o in parsed if not o.is_hydra_override())]
    _refuse_places(parsed, config)
    jobs = _jobs(_product(parsed), Path(str(config.outputs)).expanduser())
    context = HydraContext(config_loader=composer.loader, callbacks=Callbacks(config))
    return Plan(_directory(config, overrides, parsed), jobs, config, context)


def _shared(composer: Composer, overrides: list[str]) -> DictConfig:
    version.setbase("1.3")
    JobRuntime.instance().set("name", "gan train")
    with in_words():
        config = composer.loader.load_configuration(composer.name, overrides, RunMode.MULTIRUN)
    sweeper = str(config.hydra.sweeper._target_).rpartition(".")[2]
    if sweeper != BasicSweeper.__name__:
        raise UserMistake(
            f"hydra/sweeper: {sweeper} is not used: gan train -m makes every combination, "
            "and gan tune searches"
        )
    return config


def _kept(composer: Composer, config: DictConfig) -> list[Override]:
    """What a sweep that is kept in a file sweeps over."""
    params = config.hydra.sweeper.params or {}
    return [composer.parse(f"{key}={params[key]}") for key in params]


def _refuse_places(parsed: list[Override], config: DictConfig) -> None:
    last = {o.get_key_element(): o for o in parsed}
    typed = last.get("run_dir")
    if config.run_dir is not None or (typed and typed.is_sweep_override()):
        raise UserMistake(
            f"{typed.input_line if typed else f'run_dir={config.run_dir}'}: each job of a sweep "
            "has a directory of its own; outputs=DIR says where they all are, hydra.sweep.dir=DIR "
            "where the ledger is"
        )
    for key, override in last.items():
        if override.is_sweep_override() and key_of(key) in CONTROL:
            raise UserMistake(
                f"{override.input_line}: {key} is no part of what a run is, so that these would be "
                "one run; sweep over something else"
            )


def _product(parsed: list[Override]) -> list[list[str]]:
    """Every combination, in the order of the command; the last of a key counts."""
    try:
        return [list(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]
    except HydraException as error:
        between = [str(o.input_line) for o in parsed if o.is_interval_sweep()]
        raise UserMistake(
            f"{' '.join(between) or words(error)}: a sweep takes values, as in "
            "optimizer.lr=1e-4,1e-3; gan tune searches intervals"
        ) from error


def _jobs(combinations: list[list[str]], outputs: Path) -> list[Job]:
    """Jobs named by what differs; combinations that come to the same run are one."""
    asked = list({name(job := canonical(typed)): job for typed in combinations}.values())
    counted = Counter(override for job in asked for override in set(job))
    jobs = []
    for overrides in asked:
        differing = [text for text in overrides if counted[text] < len(asked)]
        jobs.append(
            Job(
                name=" ".join(differing) or " ".join(overrides) or name([]),
                overrides=overrides,
                run=str(outputs / name(overrides)),
                config=dict(_pair(text) for text in differing),
            )
        )
    return jobs


def _pair(override: str) -> tuple[str, Any]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), value


def _directory(config: DictConfig, overrides: list[str], parsed: list[Override]) -> Path:
    """By hand (hydra.sweep.dir=DIR), or named by what was typed, but for how long."""
    if any(key_of(text) == "hydra.sweep.dir" for text in overrides):
        return Path(str(config.hydra.sweep.dir)).expanduser()
    varied = [str(o.input_line) for o in parsed if o.is_sweep_override()]
    fixed = [str(o.input_line) for o in parsed if not o.is_sweep_override()]
    fixed = [text for text in fixed if key_of(text) not in BUDGET]
    return Path(str(config.outputs)).expanduser() / SWEEPS / study_name(varied, fixed)


def study_name(varied: list[str], fixed: list[str]) -> str:
    """The name of a study: its file and what it varies in words, all that is fixed in the hash."""
    file = [text for text in fixed if key_of(text) == FILE]
    whole = name([*varied, *fixed])
    if file == fixed or not varied + file:
        return whole
    words, known = name([*varied, *file])[:WORDS], hashlib.sha256(whole.encode())
    return f"{words.rpartition('+')[0] or words}+{known.hexdigest()[:12]}"
