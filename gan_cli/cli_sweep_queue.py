"""The launchers of sweeps: what each needs, how it shares a machine, what SLURM would be given."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from gan_cli import cli_failure
from gan_cli.cli_sweep_job import Worker
from gan_cli.cli_sweep_plan import Plan
from gan_cli.errors import UserMistake

PACKAGES = {
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "submitit_local": "hydra_plugins.hydra_submitit_launcher",
    "submitit_slurm": "hydra_plugins.hydra_submitit_launcher",
}
"""The package that each launcher comes in."""

IN_TURN, LOCAL, SLURM = "basic", "submitit_local", "submitit_slurm"
_CHOICE = "hydra/launcher="


def installed(overrides: list[str]) -> None:
    """Raise UserMistake for a launcher whose package is not there, with what to install."""
    for text in overrides:
        package = PACKAGES.get(text.removeprefix(_CHOICE)) if text.startswith(_CHOICE) else None
        if package and _missing(package):
            raise UserMistake(f"{text} needs an extra: pip install 'gan-cli[sweep]'")


def _missing(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is None
    except ModuleNotFoundError:  # the namespace itself is not there
        return True


def check(plan: Plan) -> None:
    """Raise UserMistake for a launcher that can't work here, and warn of too many threads."""
    if plan.launcher == SLURM and not (shutil.which("sbatch") and shutil.which("srun")):
        raise UserMistake(
            f"{_CHOICE}{SLURM}: there is no sbatch here; run it where SLURM is, or add --dry-run "
            "to see what it would be given"
        )
    count, threads = worker(plan).count, plan.config.hardware.threads or 1
    if count * threads > _cores():
        cli_failure.warn(
            f"{count} jobs at once with {threads} threads each are more than the {_cores()} cores "
            "here: they will wait for each other"
        )


def worker(plan: Plan) -> Worker:
    """How a job shares the machine with the others of this launcher."""
    known = {
        "joblib": Worker(_joblib(plan)),
        LOCAL: Worker(min(at_once(plan) or 1, len(plan.jobs))),
        IN_TURN: Worker(1),
    }
    return known.get(plan.launcher, Worker(0, threads=None, cards=False))


def at_once(plan: Plan) -> int | None:
    """How many jobs are handed to the launcher together; None for all of them.

    submitit starts all that it is given, on this machine.
    """
    asked = plan.config.hydra.sweeper.max_batch_size
    return {LOCAL: int(asked or _cores())}.get(plan.launcher, asked)


def _joblib(plan: Plan) -> int:
    given = plan.config.hydra.launcher.get("n_jobs")
    asked = 1 if given is None else int(given)
    if asked == 0:
        raise UserMistake(
            "hydra.launcher.n_jobs is a number of jobs at once, 1 or more, or -1: one for each core"
        )
    return min(len(plan.jobs), asked if asked > 0 else max(1, _cores() + 1 + asked))


def _cores() -> int:
    return os.cpu_count() or 1


def script(plan: Plan, count: int) -> str:
    """What sbatch would be given for so many jobs; nothing is asked of SLURM."""
    from submitit.slurm.slurm import SlurmExecutor

    class Paper(SlurmExecutor):  # type: ignore[misc]
        """An executor that is not asked whether SLURM is here, and submits nothing."""

        @classmethod
        def affinity(cls) -> int:
            return 1

    launcher: Any = OmegaConf.to_container(plan.config.hydra.launcher, resolve=True)
    asked = {key: value for key, value in launcher.items() if value is not None}
    places = {key: asked.pop(key) for key in ("_target_", "submitit_folder", "max_num_timeout")}
    executor = Paper(Path(places["submitit_folder"]), places["max_num_timeout"])
    executor.update_parameters(**executor._convert_parameters(asked))
    if count > 1:
        executor.parameters["map_count"] = count
    return str(executor._make_submission_file_text(executor._submitit_command_str, "dry-run"))
