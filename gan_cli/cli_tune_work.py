"""The trials of `gan tune`, one after the other in this process, or in several at once."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from optuna.trial import FrozenTrial, TrialState

from gan_cli.cli_sweep_show import Display, live
from gan_cli.cli_tune_trial import Bench, attempt
from gan_cli.errors import GanError, Stopped, UserMistake
from gan_cli.signals import Interrupt
from gan_cli.study.ledger import Ledger

HOPELESS = 5
"""Trials that fail before any comes to a figure, after which a search ends."""

PAUSE = 0.5
"""Seconds between two looks at what the processes have done."""


def say(text: str) -> None:
    """A line of the search itself, between those of its runs."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def trials(bench: Bench, asked: argparse.Namespace) -> None:
    """Trials, until there are as many as asked for, or the time is up.

    Raises Stopped and KeyboardInterrupt, and GanError where all of the first come to nothing.
    """
    began = time.monotonic()
    with shown(bench) as tell:
        while asked.timeout is None or time.monotonic() - began < asked.timeout:
            _refuse_hopeless(bench)
            taken = bench.search.take(asked.trials)
            if taken is None:
                return
            words = " ".join(f"{key}={value}" for key, value in taken.values.items())
            words = "the default" if taken.is_default else words
            tell(f"trial {taken.number + 1} of {asked.trials}: {words}")
            tell(f"trial {taken.number + 1}: {attempt(bench, taken)}")


@contextmanager
def shown(bench: Bench) -> Iterator[Callable[[str], None]]:
    """On a terminal a line for each run as of a sweep, and its own words go to its log; elsewhere
    what each says is shown, and what is told by what this gives."""
    if not live():
        yield say
        return
    ledger = Ledger(bench.directory, "", [])
    with suppress(UserMistake):  # there is none yet
        ledger = Ledger.read(bench.directory)
    bench.echo = False
    with Display(ledger, quiet=True):
        yield lambda text: None


def _refuse_hopeless(bench: Bench) -> None:
    over = [trial for trial in bench.search.trials if trial.state.is_finished()]
    failed = [trial for trial in over if "reason" in trial.user_attrs and not trial.values]
    if len(failed) >= HOPELESS and len(failed) == len(over):
        last = failed[-1].user_attrs["reason"]
        raise GanError(
            f"the first {len(failed)} trials all failed, the last by: {last}; "
            f"without {bench.directory} the search begins anew"
        )


class _Worker(NamedTuple):
    """A process, its number, and where it writes."""

    process: subprocess.Popen[bytes]
    number: int
    log: str


def processes(bench: Bench, count: int, args: list[str]) -> None:
    """The same search by several processes, each of which takes what trial is next.

    A signal is passed on, once, so that each of them saves its run. Raises Stopped, and GanError
    where all of them went down.
    """
    known = {t.number for t in bench.search.trials if t.state.is_finished()}
    with ExitStack() as stack:
        tell = stack.enter_context(shown(bench))
        interrupt = stack.enter_context(Interrupt())
        workers = [_start(bench, number, args, stack) for number in range(1, count + 1)]
        passed = False
        while any(worker.process.poll() is None for worker in workers):
            time.sleep(PAUSE)
            known |= _tell_new(bench, known, tell)
            if interrupt.signum is not None and not passed:
                passed = True
                for worker in workers:
                    worker.process.send_signal(interrupt.signum)
        _tell_new(bench, known, tell)
        if interrupt.signum is not None:
            raise Stopped(interrupt.signum, "stopped and saved; the same command goes on")
    broken = [worker for worker in workers if worker.process.returncode]
    for worker in broken:
        say(f"process {worker.number} ended with code {worker.process.returncode}: {worker.log}")
    if len(broken) == len(workers):
        raise GanError(f"no process came to an end; {broken[0].log} says why")


def _start(bench: Bench, number: int, args: list[str], stack: ExitStack) -> _Worker:
    """A process that is killed when the stack is left while it still runs."""
    path = bench.directory / f"process-{number}.log"
    command = [sys.executable, "-m", "gan_cli", "tune", *args, "--worker", str(number)]
    log = stack.enter_context(path.open("ab"))
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, **_device(number)},
        start_new_session=True,  # Ctrl-C reaches it through this process alone
    )
    stack.callback(_end, process)
    return _Worker(process, number, str(path))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def _device(number: int) -> dict[str, str]:
    """One of several GPUs that are named, in turn."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return {"CUDA_VISIBLE_DEVICES": named[number % len(named)]} if len(named) > 1 else {}


def _tell_new(bench: Bench, known: set[int], tell: Callable[[str], None]) -> set[int]:
    """Say what has become of trials; their numbers."""
    new = [t for t in bench.search.trials if t.state.is_finished() and t.number not in known]
    for trial in new:
        tell(f"trial {trial.number + 1}: {outcome(trial, bench)}")
    return {trial.number for trial in new}


def outcome(trial: FrozenTrial, bench: Bench) -> str:
    """What became of a trial, in words."""
    value = figure(trial)
    told = "" if value is None else f"{bench.aim.figure} {value:.4g}"
    why = str(trial.user_attrs.get("reason", ""))
    given_up = ", ".join(filter(None, (why, told)))
    words = {TrialState.PRUNED: given_up, TrialState.FAIL: told or f"failed: {why}"}
    open_ = {TrialState.RUNNING: "unfinished", TrialState.WAITING: "not begun"}
    return (words | open_).get(trial.state, told)


def figure(trial: FrozenTrial) -> float | None:
    """What a trial came to; None where it came to nothing."""
    outside = trial.user_attrs.get("value")  # the default, where it can't be among what is searched
    found = trial.values[0] if trial.values else outside
    return float(found) if isinstance(found, int | float) else None
