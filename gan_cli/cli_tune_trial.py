"""One trial of `gan tune`: a run like any other, watched while it is measured."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli import cli_failure, cli_keys, run
from gan_cli.cli_compose import Composer, plain
from gan_cli.cli_diagnose import Diagnosis
from gan_cli.cli_sweep_job import told
from gan_cli.cli_train import canonical
from gan_cli.cli_tune_space import Asked
from gan_cli.errors import GanError, Lost, NumericalFailure, Stopped, UserMistake
from gan_cli.record import now
from gan_cli.study.folder import Folder
from gan_cli.study.ledger import Job, Ledger
from gan_cli.tune import Aim
from gan_cli.tune.study import Search, Taken

if TYPE_CHECKING:
    from gan_cli.scores import Scores

DEFAULT = "default"
"""What the setting is called when nothing is said of what is searched."""


@dataclass(frozen=True)
class Plan:
    """A run before it is one: its configuration, and the command that makes it alone."""

    overrides: list[str]
    choices: dict[str, str]
    config: dict[str, Any]
    argv: list[str]

    @classmethod
    def make(cls, composer: Composer, flags: list[str], overrides: list[str]) -> Plan:
        """Of these overrides. Raises UserMistake where they can't be together."""
        composed = composer.compose(overrides)
        config = plain(composed)
        Diagnosis(cli_keys.check(config, composer.groups)).complain()
        choices = {
            str(group): str(choice)
            for group, choice in composed.hydra.runtime.choices.items()
            if str(group).partition("/")[0] != "hydra"
        }
        return cls(canonical(overrides), choices, config, ["gan", "train", *flags, *overrides])

    @property
    def directory(self) -> Path:
        """Where a single command of these overrides puts its run."""
        return Path(self.config["outputs"]).expanduser() / run.name(self.overrides)

    @property
    def steps(self) -> int | None:
        """The budget, where it is told in steps."""
        other = any(self.config[key] is not None for key in run.BUDGET - {"steps"})
        return None if other else int(self.config["steps"])

    def train(self, watcher: Callable[[int, Scores], str] | None = None) -> None:
        """Train it, or what is left of it; raises as `gan train` does."""
        from gan_cli.train import launch  # imports torch

        launch(self.config, self.choices, self.overrides, self.argv, watcher)

    def value(self, aim: Aim) -> float:
        """The figure it came to; GanError, with the reason, where it has none."""
        known = Folder(self.directory).evaluations
        rows = [scores for step, scores in known if self.steps is None or step <= self.steps]
        found = [s.figures[aim.figure].value for s in rows if aim.figure in s.figures]
        if aim.best and found:
            return max(found, key=lambda value: aim.better * value)
        if not rows:
            raise GanError("it was not measured")
        last = rows[-1]
        if aim.figure not in last.figures:
            reasons = [text for text in last.refused.values() if text] or ["it was not told"]
            raise GanError(f"no {aim.figure} at the end: {reasons[0]}")
        return last.figures[aim.figure].value


@dataclass
class Bench:
    """Where trials run: what composes them, how they are named, and the ledger they are kept in.

    echo: what a run says is not only for its log.
    """

    composer: Composer
    flags: list[str]
    wish: Asked
    aim: Aim
    search: Search
    directory: Path
    command: list[str]
    echo: bool = True

    def plan(self, overrides: list[str]) -> Plan:
        """The run of these overrides."""
        return Plan.make(self.composer, self.flags, overrides)

    def train(
        self,
        name: str,
        plan: Plan,
        config: Mapping[str, Any],
        watcher: Callable[[int, Scores], str] | None = None,
        verdict: Callable[[], str] = str,
    ) -> float:
        """One job of the ledger, from its beginning to its figure.

        `config` is what differs from the others; `verdict` is asked afterwards why it was ended.
        Raises what a run raises, and GanError where it came to no figure.
        """
        mine = Job(name, plan.overrides, os.path.normpath(plan.directory), config={**config})
        ledger, job = self._enter(mine)
        with self._alone(ledger, job):
            ledger.update(job.name, state="running", reason="", started=now(), ended="")
            try:
                with told(ledger.log(job), self.echo):
                    value = self._value(plan, watcher)
            except BaseException as error:
                state, why = ending(error)
                ledger.update(job.name, state=state, reason=why, ended=now())
                raise
            status = Folder(plan.directory).status
            ledger.update(
                job.name,
                state=status.state,
                reason=verdict() or status.reason,
                ended=now(),
                figures={self.aim.figure: value},
                seconds=status.seconds,
            )
        return value

    def _value(self, plan: Plan, watcher: Callable[[int, Scores], str] | None) -> float:
        """The figure of a run; what goes wrong is told where the run has told what it does."""
        try:
            plan.train(watcher)
            return plan.value(self.aim)
        except (Stopped, KeyboardInterrupt):
            raise
        except Exception as error:
            cli_failure.report(error, cli_failure.wants_traceback())
            raise

    def _enter(self, mine: Job) -> tuple[Ledger, Job]:
        """The ledger with this job in it, and the job as it is there."""
        ledger = Ledger.add(self.directory, shlex.join(self.command), mine)
        return ledger, next(job for job in ledger.jobs if Path(job.run) == Path(mine.run))

    @contextmanager
    def _alone(self, ledger: Ledger, job: Job) -> Iterator[None]:
        """Nobody else runs this job meanwhile: another trial of the same setting is waited for."""
        while True:
            try:
                held = ledger.claim(job)
                break
            except UserMistake:
                time.sleep(1)
        try:
            yield
        finally:
            os.close(held)


def ending(error: BaseException) -> tuple[str, str]:
    """The state of a run that was ended by this, and why."""
    if isinstance(error, KeyboardInterrupt):
        return Stopped.state, "Ctrl-C"
    state = error.state if isinstance(error, GanError) else GanError.state
    return state, reason(error)


def reason(error: BaseException) -> str:
    """Why a run failed, in one line."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def attempt(bench: Bench, taken: Taken) -> str:
    """One trial, and what became of it in words. What fails is told and kept, and raises nothing;
    a stop is raised, and leaves the trial to be taken up again."""
    hopeless = ""

    def watch(step: int, scores: Scores) -> str:
        nonlocal hopeless
        found = scores.figures.get(bench.aim.figure)
        if found is not None and taken.measured(step, found.value) and step != plan.steps:
            hopeless = f"pruned at step {step}"
        return hopeless

    name = " ".join(f"{key}={value}" for key, value in taken.values.items())
    values = {} if taken.is_default else taken.values  # as a command without a word of them
    name = DEFAULT if taken.is_default else name
    try:
        plan = bench.plan(bench.wish.overrides(values))
        value = bench.train(name, plan, taken.values, watch, lambda: hopeless)
    except (Stopped, KeyboardInterrupt):
        taken.leave()
        raise
    except (NumericalFailure, Lost) as error:  # the setting's own doing: told as the worst there is
        words = ": ".join(ending(error))
        bench.search.pruned(taken, words)
        return words
    except Exception as error:  # noqa: BLE001, a failure is a result
        bench.search.failed(taken, reason(error))
        return f"failed: {reason(error)}"
    if hopeless:
        bench.search.pruned(taken, hopeless)
        return f"{hopeless}, {bench.aim.figure} {value:.4g}"
    bench.search.done(taken, value)
    return f"{bench.aim.figure} {value:.4g}"
