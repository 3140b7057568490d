"""The ledger of a sweep: every job of it, what has become of each, and its figures, in one file."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gan_cli import disk, lock, strict
from gan_cli.errors import BadFile, DiskFailure, GanError, Stopped, UserMistake
from gan_cli.run import BUDGET, key_of
from gan_cli.status import NO_STATUS, STATES, Status
from gan_cli.study.job import ENDED, PENDING, Job
from gan_cli.tail import small

__all__ = ["ENDED", "LEDGER", "PENDING", "Job", "Ledger"]

FORMAT = "gan-ledger/1"
LEDGER = "ledger.json"
"""The file in the directory of a sweep."""

MOST = 1 << 26
"""Bytes of a ledger, at most."""

_RUNNING = STATES[1]
_LOCKS = ".locks"
_LONGEST = 2000  # characters of a path
_WAIT = 60.0  # seconds for another process that is writing


@dataclass(frozen=True)
class Ledger:
    """The jobs of a sweep, in order: what was read, or is to be written.

    Several processes may write it: each change reads the file anew, under a lock.
    """

    directory: Path
    command: str
    jobs: list[Job]

    @classmethod
    def open(
        cls,
        directory: Path,
        command: str,
        jobs: Iterable[Job],
        figures: Callable[[Path], dict[str, float]] | None = None,
        fresh: bool = False,
    ) -> Ledger:
        """Write the plan of a sweep, with what the file and the runs tell of its jobs from before.

        What has ended stays so, unless it is now asked for with another budget: then it is pending,
        and goes on in the same directory. `fresh` makes all of them pending. Jobs that are not in
        the plan any more are left out. `figures` reads those of a run that has ended elsewhere.
        A file that can't be read is moved aside: the runs tell what has become of them. Raises
        DiskFailure, and UserMistake where another process doesn't let go.
        """
        with _disk_errors(directory), _writing(directory):
            _set_aside(directory)
            return cls.plan(directory, command, jobs, figures, fresh)._write()

    @classmethod
    def plan(
        cls,
        directory: Path,
        command: str,
        jobs: Iterable[Job],
        figures: Callable[[Path], dict[str, float]] | None = None,
        fresh: bool = False,
    ) -> Ledger:
        """What `open` would write."""
        planned = list(jobs)
        known = _Known(directory, planned)
        merged = [known.merge(job, fresh) for job in planned]
        if figures is None:
            return cls(directory, command, merged)
        told = [job for job in merged if job.state in ENDED and not job.figures]
        found = {job.name: figures(Path(job.run)) for job in told}
        return cls(
            directory,
            command,
            [replace(job, figures=found.get(job.name, job.figures)) for job in merged],
        )

    @classmethod
    def add(cls, directory: Path, command: str, job: Job) -> Ledger:
        """One job more, where none is of that run; the others stay as they are. Raises as open."""
        with _disk_errors(directory), _writing(directory):
            stored = _stored(directory)
            new = [] if any(Path(other.run) == Path(job.run) for other in stored) else [job]
            return cls(directory, command, [*stored, *new])._write()

    @classmethod
    def read(cls, directory: Path) -> Ledger:
        """The ledger as it is now.

        A job that says it is running, and neither it nor its run is held by a process, is what its
        run says of itself, or interrupted. Raises UserMistake where there is none, and BadFile.
        """
        try:
            command, jobs = _parsed(directory)
        except FileNotFoundError:
            raise UserMistake(f"{strict.clean(directory)} holds no sweep (no {LEDGER})") from None
        return cls(directory, command, [_now(directory, job) for job in jobs])

    def update(self, name: str, **changes: Any) -> Ledger:
        """Change what is known of one job, in the file; the ledger as it is then.

        Raises KeyError for a name that no job has (any more), BadFile and DiskFailure.
        """
        with _disk_errors(self.directory), _writing(self.directory):
            command, jobs = _parsed(self.directory)
            if name not in {job.name for job in jobs}:
                raise KeyError(name)
            changed = [replace(job, **changes) if job.name == name else job for job in jobs]
            return Ledger(self.directory, command, changed)._write()

    def job(self, name: str) -> Job | None:
        """The job of that name."""
        return next((job for job in self.jobs if job.name == name), None)

    def log(self, job: Job) -> Path:
        """What a job has told, and the traceback where it failed."""
        return self.directory / f"{job.file}.log"

    def claim(self, job: Job) -> int:
        """Take a job for this process; closing what is returned gives it back.

        Raises UserMistake where another process has it.
        """
        return lock.hold(_claim(self.directory, job))

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state, those of none left out."""
        counted = {state: sum(job.state == state for job in self.jobs) for state in STATES}
        return {state: count for state, count in counted.items() if count}

    def _write(self) -> Ledger:
        for job in self.jobs:
            job.check()
        jobs = [asdict(job) | {"run": _below(self.directory, job.run)} for job in self.jobs]
        told = {"format": FORMAT, "command": self.command, "jobs": jobs}
        text = json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)
        disk.replace(self.directory / LEDGER, f"{text}\n".encode())
        return self


class _Known:
    """What is known of the jobs of a plan: in the file that there is, and of their runs."""

    def __init__(self, directory: Path, planned: list[Job]):
        self._directory = directory
        stored = _stored(directory)
        self._by_run = {job.run: job for job in stored}
        self._asked = _unique(planned)
        self._by_asked = _unique(stored)

    def merge(self, job: Job, fresh: bool) -> Job:
        """A planned job, as it is known."""
        asked = _asked(job)
        before = self._by_run.get(job.run)
        if before is None and asked in self._asked:  # the same, with another budget
            before = self._by_asked.get(asked)
        if fresh or before is None:
            where = job.run if before is None else before.run
            return self._told(replace(job, run=where)) if not fresh else replace(job, run=where)
        known = replace(before, name=job.name, overrides=job.overrides, config=job.config)
        if before.state == _RUNNING and lock.held(_claim(self._directory, before)):
            return known
        if sorted(before.overrides) != sorted(job.overrides) and before.state in ENDED:
            return replace(known, state=PENDING, reason="")
        return self._told(known)

    def _told(self, job: Job) -> Job:
        """A job, as its run tells of it, where there is one."""
        run = Path(job.run)
        if not (run / "run.json").is_file():
            gone = job.state in ENDED or job.state == _RUNNING
            return replace(job, state=PENDING, reason="", figures={}) if gone else job
        try:
            told = Status.read(run)
        except GanError:
            return replace(job, state=PENDING)
        return replace(job, state=told.state, reason=told.reason, seconds=told.seconds)


def _asked(job: Job) -> tuple[str, ...]:
    """What a job was asked for, but for how long."""
    return tuple(sorted(o for o in job.overrides if key_of(o) not in BUDGET))


def _unique(jobs: list[Job]) -> dict[tuple[str, ...], Job]:
    """Jobs by what they were asked for, where that tells them apart."""
    counted = Counter(map(_asked, jobs))
    return {asked: job for job in jobs if counted[asked := _asked(job)] == 1}


@contextmanager
def _disk_errors(directory: Path) -> Iterator[None]:
    """Turns what the system says about a sweep's directory into a DiskFailure."""
    try:
        yield
    except Timeout:
        raise UserMistake(f"{directory}: another process is writing its ledger") from None
    except OSError as error:
        raise DiskFailure(f"{directory} can't be written: {error.strerror}") from error


def _writing(directory: Path) -> FileLock:
    directory.mkdir(parents=True, exist_ok=True)
    return FileLock(directory / ".ledger.lock", timeout=_WAIT)


def _now(directory: Path, job: Job) -> Job:
    """A job as it is: one that runs has somebody who holds it."""
    if job.state != _RUNNING or lock.held(_claim(directory, job)):
        return job
    gone = replace(job, state=Stopped.state, reason="its process is gone")
    try:
        told = Status.read(Path(job.run))
    except GanError:
        return gone
    if told.reason == NO_STATUS:
        return gone
    return replace(job, state=told.state, reason=told.reason, seconds=told.seconds)


def _claim(directory: Path, job: Job) -> Path:
    return directory / _LOCKS / job.file


def _set_aside(directory: Path) -> None:
    """Move a ledger that can't be read out of the way."""
    try:
        _parsed(directory)
    except BadFile:
        (directory / LEDGER).replace(directory / f"{LEDGER}.damaged")
    except FileNotFoundError:
        pass


def _stored(directory: Path) -> list[Job]:
    try:
        return _parsed(directory)[1]
    except FileNotFoundError:
        return []


def _parsed(directory: Path) -> tuple[str, list[Job]]:
    """The command and the jobs in the file. Raises BadFile, and FileNotFoundError."""
    path = directory / LEDGER
    try:
        found = strict.parse(small(path, MOST))
        strict.check(found)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"not a ledger of this version of gan ({FORMAT})")
        jobs = [_job(directory, entry) for entry in found["jobs"]]
        if len({job.name for job in jobs}) < len(jobs):
            raise ValueError("two jobs of one name")
        return str(found["command"]), jobs
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadFile(
            f"{strict.clean(path)}: damaged ({strict.quote(error, 200)}); without the file, the "
            "same command finds the runs again"
        ) from error


def _job(directory: Path, entry: Any) -> Job:
    if not isinstance(entry, dict):
        raise ValueError("a job is none")
    known = {f.name for f in fields(Job)}
    job = Job(**{key: value for key, value in entry.items() if key in known})
    job.check()
    parts = job.run.split("/")
    if not parts[0] or len(job.run) > _LONGEST or max(map(len, parts)) > 255 or "\0" in job.run:
        raise ValueError("a job whose run is no path from the sweep's directory")
    return replace(job, run=_from(directory, job.run))


def _below(directory: Path, run: str) -> str:
    """A run's path from the sweep's directory, so that both can be moved together."""
    return os.path.relpath(run, directory)


def _from(directory: Path, run: str) -> str:
    return os.path.normpath(directory / run)
