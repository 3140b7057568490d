"""What a person sees of a sweep: a line as each job ends, those that run, a table at the end."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from gan_cli import aligned, written
from gan_cli.errors import GanError
from gan_cli.status import Status
from gan_cli.strict import clean
from gan_cli.study.folder import Folder
from gan_cli.study.ledger import ENDED, Job, Ledger
from gan_cli.study.reasons import reasons

SIGNS = {
    "pending": ("·", "2"), "running": ("›", "36"), "done": ("✓", "32"), "failed": ("✗", "31"),
    "collapsed": ("▾", "33"), "interrupted": ("‖", "33"),
}  # fmt: skip
"""A sign and the number of a colour for each state."""

MOST = 10
"""Reasons that are told below the table, at most."""

_EVERY = 0.5  # seconds between two looks
_BAR, _LEAST = 16, 8  # signs of a bar, and at least of a name


class Display:
    """Follows a ledger: a line for every change of a job, and below, on a terminal, what runs.

    `quiet` says nothing where it is no terminal. `beat` is called at every look. Nothing of a sweep
    depends on what is shown.
    """

    def __init__(self, ledger: Ledger, quiet: bool, beat: Callable[[], None] = lambda: None):
        self._directory, self._quiet, self._beat = ledger.directory, quiet, beat
        self._out = sys.stdout
        self._live = live()
        self._seen = {job.name: (job.state, job.started) for job in ledger.jobs}
        self._began, self._drawn = time.monotonic(), 0
        self._said: deque[str] = deque()
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
        """A line above what runs, at the next look: from any thread, or a signal's handler."""
        self._said.append(text)

    def _follow(self) -> None:
        while not self._over.wait(_EVERY):
            self._beat()
            self._look()

    def _look(self, last: bool = False) -> None:
        try:
            ledger = Ledger.read(self._directory)
        except GanError:
            return  # being replaced, or gone: the end will tell
        events = [self._event(job) for job in ledger.jobs if self._changed(job)]
        self._seen = {job.name: (job.state, job.started) for job in ledger.jobs}
        told = [] if self._quiet and not self._live else [*filter(None, events)]
        while self._said:
            told.append(self._said.popleft())
        self._write(told, self._footer(ledger) if self._live and not last else [])

    def _changed(self, job: Job) -> bool:
        return self._seen.get(job.name) != (job.state, job.started)

    def _event(self, job: Job) -> str:
        if self._live and job.state == "running":
            return ""
        return f"{_coloured(job.state, self._out)} {_sentence(job)}"

    def _footer(self, ledger: Ledger) -> list[str]:
        size = shutil.get_terminal_size((80, 24))
        running = [job for job in ledger.jobs if job.state == "running"]
        room = max(1, size.lines - 4)
        lines = [progress(job, size.columns - 1) for job in running[:room]]
        lines += [f"  and {len(running) - room} more"] if len(running) > room else []
        passed = _time(time.monotonic() - self._began)
        return [*lines, f"{counted(ledger)} · {passed}"[: size.columns - 1]]

    def _write(self, lines: list[str], footer: list[str]) -> None:
        up = f"\033[{self._drawn}F\033[J" if self._drawn else ""
        text = up + "".join(f"{line}\n" for line in [*lines, *footer])
        self._drawn = len(footer)
        if text:
            put(self._out, text)


def live() -> bool:
    """Whether lines can be drawn again where the output goes."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


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


def table(ledger: Ledger) -> str:
    """Every job, with what differs, its state, and its figures; below it, what went wrong."""
    keys = list(dict.fromkeys(key for job in ledger.jobs for key in job.config))
    names = list(dict.fromkeys(name for job in ledger.jobs for name in job.figures))
    names = [name for name in names if name != "step"]
    headers = [*(keys or ["job"]), "state", "step", "time", *names]
    rows = [
        [
            *([_cell(job.config.get(key)) for key in keys] or [job.name]),
            job.state,
            int(job.figures["step"]) if "step" in job.figures else None,
            _time(job.seconds) if job.seconds else None,
            *(job.figures.get(name) for name in names),
        ]
        for job in ledger.jobs
    ]
    unwell = ((job.state, job.name, job.reason) for job in ledger.jobs if _odd(job))
    notes, left = reasons(unwell, MOST)
    notes += [f"and {left} more; `gan list` has all"] if left else []
    return written.write(
        headers, rows, "text", written.terminal(), notes, keep=len(headers[:-1]) - len(names)
    )


def _cell(value: object) -> written.Cell:
    return None if value is None else written.setting(str(value))


def more(ledger: Ledger) -> str:
    """What to look at, and to type, to see more of it."""
    where = shlex.quote(str(ledger.directory))
    failed = [job for job in ledger.jobs if job.state == "failed"]
    log = f"log      {shlex.quote(str(ledger.log(failed[0])))}\n" if failed else ""
    return f"{log}compare  gan compare {where}\nreport   gan report {where}\n"


def _odd(job: Job) -> bool:
    return job.state == "failed" or bool(job.reason and job.state not in _EVEN)


_EVEN = frozenset({"done", "pending", "running"})


def _sentence(job: Job) -> str:
    words = [job.name, job.state]
    words += [_time(job.seconds)] if job.seconds else []
    words += [_figures(job.figures)] if job.state in ENDED else []
    words += [clean(job.reason, 200)] if job.reason else []
    return "  ".join(filter(None, words))


def _figures(figures: dict[str, float]) -> str:
    shown = [(name, value) for name, value in figures.items() if name != "step"][:4]
    return "  ".join(
        f"{name.removeprefix('loss/')} {written.number(value)}" for name, value in shown
    )


def progress(job: Job, width: int) -> str:
    """A job that runs, in a line: how far it is, and its losses; of these as much as fits."""
    try:
        told, last = Status.read(Path(job.run)), Folder(Path(job.run)).last
    except GanError:
        told, last = Status("running", 0, 0), {}
    if not told.steps:
        return clean(f"› {aligned.shortened(job.name, width - 12)}  starting", width)
    filled = round(_BAR * min(1.0, told.step / told.steps))
    losses = _figures({name: value for name, value in last.items() if name.startswith("loss/")})
    steps = f"{told.step:,}/{told.steps:,}"
    name = aligned.shortened(job.name, max(_LEAST, width - len(steps) - 4))
    line = f"› {name}  {'━' * filled}{'─' * (_BAR - filled)}  {steps}"
    line = line if aligned.cells(line) <= width else f"› {name}  {steps}"
    whole = f"{line}  {losses}"
    return clean(whole if aligned.cells(whole) <= width else line, width)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _coloured(state: str, out: TextIO) -> str:
    sign, colour = SIGNS[state]
    plain = "NO_COLOR" in os.environ or not out.isatty()
    return sign if plain else f"\033[{colour}m{sign}\033[0m"
