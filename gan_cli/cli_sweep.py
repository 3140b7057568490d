"""`gan train -m`: a sweep, its ledger and its launcher; what has been done is not done again."""

from __future__ import annotations

import _thread
import contextlib
import os
import shlex
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from omegaconf import open_dict

from gan_cli import cli_sweep_plan, cli_sweep_queue
from gan_cli.cli_compose import FAILURES, Composer, in_words, quote, words
from gan_cli.cli_sweep_job import StopSweep, Task, Worker, figures
from gan_cli.cli_sweep_plan import Plan
from gan_cli.cli_sweep_show import Display, counted, header, live, more, put, table
from gan_cli.errors import GanError, Stopped
from gan_cli.record import now
from gan_cli.report.words import many
from gan_cli.strict import clean
from gan_cli.study.ledger import ENDED, PENDING, Job, Ledger

_LOG = "launcher.log"  # what a launcher has said itself, in the sweep's directory
_ASKING = (signal.SIGINT, signal.SIGTERM)

TRIES = 2
"""Times that a job whose process was killed is started, in one command."""


def run(composer: Composer, overrides: list[str], argv: list[str], dry: bool) -> None:
    """Run what is missing of a sweep; GanError when jobs have failed, Stopped after a signal."""
    plan = cli_sweep_plan.make(composer, overrides)
    command = shlex.join(["gan", "train", *argv])
    if dry:
        put(sys.stdout, _dry(plan))
        return
    cli_sweep_queue.check(plan)
    ledger = Ledger.open(plan.directory, command, plan.jobs, figures, bool(plan.config.fresh))
    sweep = _Sweep(plan, ledger, argv, composer.groups)
    put(sys.stdout, sweep.greeting())
    try:
        sweep.go()
    finally:
        ledger = Ledger.read(plan.directory)
        put(sys.stdout, f"\n{table(ledger)}\n{more(ledger)}")
    if failed := ledger.counts().get(GanError.state):
        raise GanError(f"{failed} of {many(len(ledger.jobs), 'job')} failed; the table says why")


def _dry(plan: Plan) -> str:
    """The plan as it stands, and what SLURM would be given."""
    sweep = _Sweep(plan, Ledger.plan(plan.directory, "", plan.jobs), [], [])
    told = f"{sweep.greeting()}\n{table(sweep.ledger)}"
    if plan.launcher == cli_sweep_queue.SLURM and sweep.todo:
        told += f"\n{cli_sweep_queue.script(sweep.placed(), len(sweep.todo))}"
    return told


@dataclass
class _Sweep:
    """A plan that is being carried out by this process."""

    plan: Plan
    ledger: Ledger
    argv: list[str]
    groups: list[str]
    tries: Counter[str] = field(default_factory=Counter)
    signum: int | None = None

    def __post_init__(self) -> None:
        host = f"{os.uname().nodename}-{os.getpid()}"
        self.stop = self.plan.directory.absolute() / ".locks" / f"stop-{host}"
        self.todo = [job.name for job in self.ledger.jobs if job.state not in ENDED]
        self.before = {job.name: job for job in self.ledger.jobs}

    def greeting(self) -> str:
        """What there is, and what will be done."""
        count, where = len(self.ledger.jobs), self.plan.directory
        ways = f"{len(self.todo)} to run; Ctrl-C saves and stops, the same command goes on"
        text = f"sweep {where}: {many(count, 'job')}, {ways if self.todo else 'all done'}\n"
        running = [job.name for job in self.ledger.jobs if job.state == "running"]
        if running:
            text += f"another process runs {running[0]}: the jobs are shared with it\n"
        return text if len(self.todo) in (0, count) else f"{text}{counted(self.ledger)}\n"

    def placed(self) -> Plan:
        """The plan, whose launcher puts what it keeps into the sweep's directory."""
        with open_dict(self.plan.config):
            self.plan.config.hydra.sweep.dir = str(self.plan.directory.absolute())
            self.plan.config.hydra.sweep.subdir = "."
        return self.plan

    def go(self) -> None:
        """Launch what is to be done, until all has been tried."""
        if not self.todo:
            return
        config = self.placed().config
        self.plan.context.callbacks.on_multirun_start(config=config, config_name="train")
        try:
            if self.plan.launcher == cli_sweep_queue.IN_TURN:
                self._in_turn()
            else:
                self._together()
        finally:
            with contextlib.suppress(OSError):
                self.stop.unlink()
        self.plan.context.callbacks.on_multirun_end(config=config, config_name="train")

    def _in_turn(self) -> None:
        """One job after the other, in this process."""
        drawn = live()
        launcher = self._launcher(self._task([*self.todo], echo=not drawn))
        with Display(self.ledger, quiet=True):
            for number, name in enumerate(self.todo):
                ledger = Ledger.read(self.plan.directory)
                job = ledger.job(name)
                if job is None or job.state in ENDED:
                    continue
                elsewhere = job.state == "running"
                if not drawn:
                    told = " · another process runs it" if elsewhere else ""
                    put(sys.stdout, f"{header(ledger, job)}{told}\n")
                if elsewhere:
                    continue
                try:
                    launcher.launch([self._overrides(job)], initial_job_idx=number)
                except StopSweep as stop:
                    raise stop.__cause__ or stop from None
                except FAILURES as error:
                    self._refused(job, words(error))

    def _together(self) -> None:
        """As many jobs at once as the launcher does; a job whose process died is tried again."""
        worker, size = cli_sweep_queue.worker(self.plan), cli_sweep_queue.at_once(self.plan)
        trouble = ""
        while names := self._left():
            batch = names[:size] if size else names
            self.tries.update(batch)
            jobs = [self.before[name] for name in batch if self._composes(self.before[name])]
            task = self._task([job.name for job in jobs], worker=worker)
            ledger = Ledger.read(self.plan.directory)
            display = Display(ledger, False, self._beat)
            with self._signals(display), display:
                trouble = self._launched(task, jobs)
                if trouble and self.signum is None:
                    display.say(f"the launcher says: {trouble} ({self.plan.directory}/{_LOG})")
            if self.signum is not None:
                raise Stopped(self.signum, "stopped; the same command goes on")
        jobs = [job for job in Ledger.read(self.plan.directory).jobs if self.tries[job.name]]
        for job in jobs:
            if job.state == Stopped.state and job.ended == self.before[job.name].ended:
                self._refused(job, f"its process was killed, {TRIES} times")
        if trouble and any(job.state == PENDING for job in jobs):
            raise GanError(f"not all could be launched: {trouble}")

    def _composes(self, job: Job) -> bool:
        """Whether Hydra can compose a job; where it can't, that is its result."""
        try:
            loader = self.plan.context.config_loader
            loader.load_sweep_config(self.plan.config, self._overrides(job))
        except FAILURES as error:
            self._refused(job, words(error))
            return False
        return True

    def _launched(self, task: Task, jobs: list[Job]) -> str:
        """What a launcher has to say, if anything went wrong with itself; the ledger knows more."""
        try:
            if jobs:
                self._launcher(task).launch([self._overrides(job) for job in jobs], 0)
        except Exception as error:  # noqa: BLE001
            with (self.plan.directory / _LOG).open("a") as log:
                traceback.print_exception(error, file=log)
            return clean(str(error).strip().partition(". ")[0] or type(error).__name__)
        return ""

    def _left(self) -> list[str]:
        """The jobs that have not ended, and have not been tried often enough."""
        jobs = Ledger.read(self.plan.directory).jobs
        over = {
            job.name
            for job in jobs
            if job.state in ENDED or job.ended not in ("", self.before[job.name].ended)
        }
        return [n for n in self.todo if n not in over and self.tries[n] < TRIES]

    def _task(self, names: list[str], worker: Worker | None = None, echo: bool = False) -> Task:
        directory, before = self.plan.directory.absolute(), self.before
        return Task(directory, names, before, self.argv, self.groups, self.stop, worker, echo)

    def _launcher(self, task: Task) -> Launcher:
        with in_words():
            return Plugins.instance().instantiate_launcher(
                hydra_context=self.plan.context,
                task_function=task,
                config=self.plan.config,
            )

    def _overrides(self, job: Job) -> list[str]:
        """What Hydra composes: a run that goes on from another budget keeps its directory."""
        words = [*job.overrides, f"hydra.sweep.dir={quote(str(self.plan.directory.absolute()))}"]
        if job.run != self.plan.natural.get(job.name):
            words.append(f"run_dir={quote(job.run)}")
        return words

    def _refused(self, job: Job, reason: str) -> None:
        self.ledger.update(job.name, state=GanError.state, reason=reason, ended=now())

    @contextlib.contextmanager
    def _signals(self, display: Display) -> Iterator[None]:
        """Ctrl-C asks the workers to save and stop, a second one ends them.

        It is blocked, so that processes started meanwhile don't die of it, and looked for at every
        beat; where a library unblocks it, its handler is the same.
        """
        self.stop.parent.mkdir(parents=True, exist_ok=True)

        def note(signum: int, frame: FrameType | None) -> None:
            if self.signum is not None:
                raise KeyboardInterrupt
            self.signum = signum
            self.stop.touch()
            display.say("stopping: what runs is saved first; once more ends it at once")

        before = {number: signal.signal(number, note) for number in _ASKING}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # one that waits is noted now
            for number, handler in before.items():
                signal.signal(number, handler)

    def _beat(self) -> None:
        if signal.SIGINT in signal.sigpending():
            signal.sigwait({signal.SIGINT})
            _thread.interrupt_main()
