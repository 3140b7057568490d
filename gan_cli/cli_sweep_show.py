"""What a person sees of a sweep: a line as each job ends, those that run, a table at the end."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from gan_cli import written
from gan_cli.errors import GanError
from gan_cli.status import Status
from gan_cli.strict import clean
from gan_cli.study.folder import Folder
from gan_cli.study.ledger import ENDED, Job, Ledger

SIGNS = {
    "pending": ("·", "2"), "running": ("›", "36"), "done": ("✓", "32"), "failed": ("✗", "31"),
    "collapsed": ("▾", "33"), "interrupted": ("‖", "33"),
}  # fmt: skip
"""A sign and the number of a colour for each state."""

MOST = 10
"""Jobs that are named one by one in a message, at most."""

_EVERY = 0.5  # seconds between two looks
_BAR = 16


class Display:
    """Follows a ledger: a line for every change of a job, and below, on a terminal, what runs.

    `beat` is called at every look. Nothing of a sweep depends on what is shown.
    """

    def __init__(self, ledger: Ledger, todo: list[str], beat: Callable[[], None], quiet: bool):
        self._directory, self._todo, self._beat, self._quiet = (
            *(ledger.directory, frozenset(todo), beat, quiet),
        )
        self._out = sys.stdout
        self._live = self._out.isatty() and os.environ.get("TERM") != "dumb"
        self._seen = {job.name: (job.state, job.started) for job in ledger.jobs}
        self._began, self._drawn = time.monotonic(), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Display:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
        self._look(last=True)

    def say(self, text: str) -> None:
        """A line above what runs."""
        self._write([text], [])

    def _follow(self) -> None:
        while not self._over.wait(_EVERY):
            self._beat()
            self._look()

    def _look(self, last: bool = False) -> None:
        try:
            ledger = Ledger.read(self._directory)
        except GanError:
            return  # being replaced, or gone: the end will tell
        events = [self._event(ledger, job) for job in ledger.jobs if self._changed(job)]
        self._seen = {job.name: (job.state, job.started) for job in ledger.jobs}
        footer = self._footer(ledger) if self._live and not last else []
        self._write([] if self._quiet and not self._live else list(filter(None, events)), footer)

    def _changed(self, job: Job) -> bool:
        return self._seen.get(job.name) != (job.state, job.started)

    def _event(self, ledger: Ledger, job: Job) -> str:
        if self._live and job.state == "running":
            return ""
        return f"{_coloured(job.state, self._out)} {_sentence(ledger, job)}"

    def _footer(self, ledger: Ledger) -> list[str]:
        size = shutil.get_terminal_size((80, 24))
        running = [job for job in ledger.jobs if job.state == "running"]
        room = max(1, size.lines - 4)
        lines = [_progress(job, size.columns - 1) for job in running[:room]]
        lines += [f"  and {len(running) - room} more"] if len(running) > room else []
        passed = _time(time.monotonic() - self._began)
        return [*lines, f"{counted(ledger)} · {passed}"[: size.columns - 1]]

    def _write(self, lines: list[str], footer: list[str]) -> None:
        up = f"\033[{self._drawn}F\033[J" if self._drawn else ""
        text = up + "".join(f"{line}\n" for line in [*lines, *footer])
        self._drawn = len(footer)
        if text:
            put(self._out, text)


def put(out: TextIO, text: str) -> None:
    """Write at once, with `?` for what the output can't show."""
    encoding = getattr(out, "encoding", None) or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()


def counted(ledger: Ledger) -> str:
    """How many jobs are in each state, in words."""
    return " · ".join(f"{count} {state}" for state, count in ledger.counts().items())


def header(ledger: Ledger, job: Job) -> str:
    """The line before a job."""
    number = ledger.jobs.index(job) + 1
    counts = {s: n for s, n in ledger.counts().items() if s not in ("pending", "running")}
    told = "".join(f" · {count} {state}" for state, count in counts.items())
    return f"job {number} of {len(ledger.jobs)} · {job.name}{told}"


def table(ledger: Ledger, form: str = "text") -> str:
    """Every job, with what differs, its state, and its figures; below it, what went wrong."""
    keys = list(dict.fromkeys(key for job in ledger.jobs for key in job.config))
    names = list(dict.fromkeys(name for job in ledger.jobs for name in job.figures))
    names = [name for name in names if name != "step"]
    headers = [*(keys or ["job"]), "state", "step", "time", *names]
    rows = [
        [
            *([_value(job.config.get(key)) for key in keys] or [job.name]),
            job.state,
            int(job.figures["step"]) if "step" in job.figures else None,
            _time(job.seconds) if job.seconds else None,
            *(job.figures.get(name) for name in names),
        ]
        for job in ledger.jobs
    ]
    told = [job for job in ledger.jobs if job.state == "failed" or (job.reason and _odd(job))]
    notes = [f"{job.state}: {_sentence(ledger, job, False)}" for job in told[:MOST]]
    notes += [f"and {len(told) - MOST} more; `gan list` has all"] if len(told) > MOST else []
    return written.write(
        headers, rows, form, written.terminal(), notes, keep=len(headers[:-1]) - len(names)
    )


def more(ledger: Ledger) -> str:
    """What to type to see more of it."""
    where = shlex.quote(str(ledger.directory))
    return f"compare  gan compare {where}\nreport   gan report {where}\n"


def _odd(job: Job) -> bool:
    return job.state not in ("done", "pending", "running")


def _sentence(ledger: Ledger, job: Job, state: bool = True) -> str:
    words = [job.name]
    words += [job.state] if state else []
    words += [_time(job.seconds)] if state and job.seconds else []
    words += [_losses(job.figures)] if state and job.state in ENDED else []
    words += [clean(job.reason, 200)] if job.reason else []
    words += [f"({ledger.log(job)})"] if job.state == "failed" else []
    return "  ".join(filter(None, words))


def _losses(figures: dict[str, float]) -> str:
    shown = [(name, value) for name, value in figures.items() if name != "step"][:4]
    return "  ".join(f"{name.removeprefix('loss/')} {value:.4g}" for name, value in shown)


def _value(text: object) -> str | float | None:
    """A value as a number, where it is one."""
    try:
        return float(str(text)) if "." in str(text) or "e" in str(text) else int(str(text))
    except ValueError:
        return None if text is None else str(text)


def _progress(job: Job, width: int) -> str:
    """A job that runs, in a line: how far it is, and its losses."""
    try:
        told, last = Status.read(Path(job.run)), Folder(Path(job.run)).last
    except GanError:
        told, last = Status("running", 0, 0), {}
    share = min(1.0, told.step / told.steps) if told.steps else 0.0
    bar = "━" * round(_BAR * share) + "─" * (_BAR - round(_BAR * share))
    losses = _losses({name: value for name, value in last.items() if name.startswith("loss/")})
    line = (
        f"› {job.name}  {bar} {told.step:,}/{told.steps:,}  {losses}"
        if told.steps
        else (f"› {job.name}  starting")
    )
    return clean(line, width)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _coloured(state: str, out: TextIO) -> str:
    sign, colour = SIGNS[state]
    plain = "NO_COLOR" in os.environ or not out.isatty()
    return sign if plain else f"\033[{colour}m{sign}\033[0m"
