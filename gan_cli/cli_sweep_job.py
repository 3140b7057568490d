"""One job of a sweep, in whatever process it runs: it trains, and the ledger hears how it ended."""

from __future__ import annotations

import contextlib
import io
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from gan_cli import cli_failure, lock
from gan_cli.cli_train import train
from gan_cli.errors import BadFile, GanError, Stopped, UserMistake
from gan_cli.options import classes, import_from_here
from gan_cli.record import now, option
from gan_cli.status import Status
from gan_cli.strict import clean
from gan_cli.study.folder import Folder
from gan_cli.study.ledger import ENDED, PENDING, Job, Ledger

_LOOK = 0.5  # seconds between two looks whether the sweep is to stop
_FAILED = GanError.state


class StopSweep(BaseException):
    """Carries a signal past Hydra, which would go on with the next job."""


@dataclass(frozen=True)
class Worker:
    """A process among several that share a machine: how many they are, and of how many threads.

    `cards`: whether they take the machine's CUDA devices in turn; a queue hands out its own.
    """

    count: int
    threads: int | None = 1
    cards: bool = True


@dataclass(frozen=True)
class Task:
    """What Hydra's launchers call for each job, with its configuration.

    names: the jobs by their number. before: how each was when the sweep was planned. stop: a file
    that asks to stop. worker: None in the process that the command itself is.
    """

    directory: Path
    names: list[str]
    before: dict[str, Job]
    argv: list[str]
    groups: list[str]
    stop: Path
    worker: Worker | None = None
    echo: bool = False

    def __call__(self, config: DictConfig) -> None:
        """Run the job, unless another process does or has done so; nothing but a signal is raised.

        StopSweep in the process of the command; in a worker the signal is dealt with here.
        """
        flags = (("--config-dir", "-cd"), ("--config-path", "-cp"))
        import_from_here(*(option(self.argv, *each) for each in flags), *classes(self.argv))
        number = HydraConfig.get().job.num
        ledger = Ledger.read(self.directory)
        job = ledger.job(self.names[number])
        if job is None or self.stop.exists():
            return
        try:
            claim = ledger.claim(job)
        except UserMistake:
            return  # another process has it
        try:
            job = Ledger.read(self.directory).job(job.name)
            if job is not None and not self._settled(job):
                self._run(config, ledger, job, number)
        finally:
            os.close(claim)

    def _settled(self, job: Job) -> bool:
        """Whether another process has dealt with the job since it was planned, or holds its run."""
        planned = self.before[job.name]
        failed = job.state == _FAILED and job.ended != planned.ended
        return job.state in ENDED or failed or lock.held(Path(job.run))

    def _run(self, config: DictConfig, ledger: Ledger, job: Job, number: int) -> None:
        ledger.update(job.name, state="running", reason="", started=now(), ended="")
        stopped: GanError | KeyboardInterrupt | None = None
        with told(ledger.log(job), self.echo) as log, self._minded():
            try:
                train(config, self.argv, self.groups, lambda v: self._adjusted(v, job, number))
                changes = ending(Path(job.run))
            except (Stopped, KeyboardInterrupt) as stop:
                stopped, changes = stop, {"state": Stopped.state, "reason": str(stop) or "Ctrl-C"}
            except Exception as error:  # noqa: BLE001, a job that fails is a result
                changes = {"state": _FAILED, "reason": _line(error)}
                if isinstance(error, GanError) and not isinstance(error, UserMistake):
                    traceback.print_exception(error, file=log)  # of a bug, it is told anyway
                cli_failure.report(error)
        changes |= {"ended": now(), "figures": figures(Path(job.run))}
        ledger.update(job.name, **changes, seconds=_seconds(Path(job.run)))
        if stopped is not None:
            self._stopped(stopped)

    def _adjusted(self, values: dict[str, Any], job: Job, number: int) -> dict[str, Any]:
        """The settings with what is this worker's share of the machine, unless it is said."""
        if job.state != PENDING:
            values["fresh"] = False  # a queue that starts a job again means it to go on
        if self.worker is None:
            return values
        hardware = values["hardware"]
        hardware["threads"] = hardware["threads"] or self.worker.threads
        if self.worker.cards:
            hardware["device"] = device(hardware["device"], number, cards())
        return values

    @contextlib.contextmanager
    def _minded(self) -> Iterator[None]:
        """In a worker, Ctrl-C is the command's own business, which leaves a file for the others."""
        if self.worker is None:
            yield
            return
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # for good: the process has no other use
        over = threading.Event()
        threading.Thread(target=_mind, args=(self.stop, over), daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _stopped(self, stop: GanError | KeyboardInterrupt) -> None:
        if self.worker is None:
            raise StopSweep from stop
        queue = os.environ.get("SUBMITIT_EXECUTOR")
        if queue is None or not isinstance(stop, Stopped) or self.stop.exists():
            return
        signum = stop.exit_code - 128
        if signum in (signal.SIGUSR1, signal.SIGUSR2) and callable(signal.getsignal(signum)):
            with contextlib.suppress(Exception):  # what submitit raises where it doesn't requeue
                os.kill(os.getpid(), signum)


def device(asked: str, number: int, count: int) -> str:
    """The device of a job by its number: the CUDA devices in turn, unless one is asked for.

    device("auto", 3, 2) == "cuda:1"
    """
    return f"cuda:{number % count}" if asked in ("auto", "cuda") and count > 1 else asked


def cards() -> int:
    """How many CUDA devices there are."""
    import torch

    return torch.cuda.device_count()


def ending(run: Path) -> dict[str, Any]:
    """State and reason of a run that went to its end, as the run tells it."""
    try:
        told = Status.read(run)
    except BadFile as error:
        return {"state": "done", "reason": str(error)}
    ended = told.state in ENDED
    return {"state": told.state if ended else "done", "reason": told.reason if ended else ""}


def figures(run: Path) -> dict[str, float]:
    """The step of a run, the losses over its last part, and what was measured of it last.

    No losses of a run in which one of them was no number at last.
    """
    folder = Folder(run)
    found = {"step": folder.last["step"]} if folder.last else {}
    losses = {name: mean for name, mean in folder.lately.items() if name.startswith("loss/")}
    if all(map(math.isfinite, losses.values())):
        found |= losses
    scores = folder.scores
    told = scores.figures if scores else {}
    found |= {name: one.value for name, one in told.items() if math.isfinite(one.value)}
    return found


def _seconds(run: Path) -> float:
    try:
        return Status.read(run).seconds
    except GanError:
        return 0.0


def _line(error: Exception) -> str:
    """What went wrong, in one line."""
    text = str(error) if isinstance(error, GanError) else f"{type(error).__name__}: {error}"
    return clean(" ".join(text.split()) or type(error).__name__, 500)


def _mind(stop: Path, over: threading.Event) -> None:
    """Ask this process to save and stop, once it can, when the file is there."""
    while not over.wait(_LOOK):
        if stop.exists() and signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, None):
            os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def told(path: Path, echo: bool) -> Iterator[TextIO]:
    """What is said goes into a file; with `echo`, also to where it went before."""
    with path.open("a", encoding="utf-8", errors="replace") as log:
        log.write(f"── {now()}\n")
        out = _Said(log, sys.stdout if echo else None)
        err = _Said(log, sys.stderr if echo else None)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield log


class _Said(io.TextIOBase):
    """A file of text, and perhaps another place; no terminal."""

    encoding = "utf-8"

    def __init__(self, log: TextIO, beside: TextIO | None):
        self._log, self._beside = log, beside

    def write(self, text: str) -> int:
        self._log.write(text)
        if "\n" in text:
            self._log.flush()
        if self._beside is not None:
            self._beside.write(text)
        return len(text)

    def flush(self) -> None:
        self._log.flush()
        if self._beside is not None:
            self._beside.flush()
