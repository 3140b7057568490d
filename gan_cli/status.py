"""What has become of a run, in one small file that others can read while it trains."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from gan_cli import disk, lock, strict
from gan_cli.errors import BadFile, DiskFailure, GanError, Stopped
from gan_cli.record import now
from gan_cli.tail import last_row, small

FORMAT = "gan-status/1"
NO_STATUS = "it kept no status"
NAME = "status.json"
STATES = ("pending", "running", "done", "failed", "collapsed", "interrupted")
"""What can become of a run; pending are those of a sweep that have not begun."""


@dataclass(frozen=True)
class Status:
    """The state of a run, at which step of how many, why, and when it began and ended.

    `seconds` of training, over all sessions.
    """

    state: str
    step: int
    steps: int
    reason: str = ""
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    format: str = FORMAT

    @classmethod
    def read(cls, directory: Path) -> Status:
        """The status of a run directory, as it is now.

        A run that says it is running and is held by nobody was interrupted; of a run from before
        there was such a file, the state is told by its rows. Raises BadFile for a damaged file.
        """
        try:
            found = strict.parse(small(directory / NAME))
            strict.check(found)
            if not isinstance(found, dict):
                raise ValueError("no status of a run")
            told = cls(**found)
            told._check()
        except FileNotFoundError:
            return cls._guessed(directory)
        except (OSError, ValueError, TypeError) as error:
            raise BadFile(
                f"{strict.clean(directory / NAME)}: {strict.quote(error, 200)}"
            ) from error
        if told.state not in _OPEN:
            return told
        step, seconds = _step(directory), _seconds(directory)
        alive = lock.held(directory)
        state = "running" if alive else "interrupted"
        reason = told.reason if alive else "its process is gone"
        return cls(state, max(step, told.step), told.steps, reason, told.started, "", seconds)

    @classmethod
    def _guessed(cls, directory: Path) -> Status:
        step, seconds = _step(directory), _seconds(directory)
        if lock.held(directory):
            return cls("running", step, step, seconds=seconds)
        if (directory / "crash.txt").is_file():
            return cls(GanError.state, step, step, "crash.txt has the traceback", seconds=seconds)
        return cls(Stopped.state, step, step, NO_STATUS, seconds=seconds)

    def _check(self) -> None:
        texts = (self.state, self.reason, self.started, self.ended)
        counts = (self.step, self.steps)
        if self.state not in STATES or not all(isinstance(text, str) for text in texts):
            raise ValueError("no status of a run")
        if not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError("its steps are no whole numbers")
        if type(self.seconds) not in (int, float):
            raise ValueError("its seconds are no number")

    def write(self, directory: Path) -> None:
        """Put the file in its place, whole. Raises DiskFailure."""
        text = json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)
        disk.replace(directory / NAME, f"{text}\n".encode(), sync=False)


_OPEN = frozenset({"running"})


def settle(directory: Path, step: int, steps: int, verdict: tuple[str, str]) -> None:
    """Tell how a run ended that is over, where the process that ended it did not get to.

    `verdict`: its state, and the reason.
    """
    (state, reason), seconds = verdict, _seconds(directory)
    with suppress(BadFile):
        if Status.read(directory).state == state:
            return
    with suppress(DiskFailure):
        Status(state, step, steps, strict.clean(reason, 1000), "", now(), seconds).write(directory)


class Telling:
    """Tells what becomes of a run: running on entry, and on exit how it ended.

    `verdict` is set to a state and its reason where a run that goes to its end is more than done.
    A status that can't be written costs nothing else.
    """

    def __init__(self, directory: Path, step: int, steps: int):
        self._directory, self._step, self._steps = directory, step, steps
        self._started = now()
        self.verdict = ("done", "")

    def __enter__(self) -> Telling:
        self._tell("running", "", self._step)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state, reason = self.verdict
        if isinstance(error, KeyboardInterrupt):
            state, reason = Stopped.state, "Ctrl-C"
        elif error is not None:
            state = error.state if isinstance(error, GanError) else GanError.state
            reason = str(error) or type(error).__name__
        self._tell(state, strict.clean(reason, 1000), _step(self._directory))

    def _tell(self, state: str, reason: str, step: int) -> None:
        ended = "" if state in _OPEN else now()
        seconds = _seconds(self._directory)
        told = Status(state, step, self._steps, reason, self._started, ended, seconds)
        with suppress(DiskFailure):
            told.write(self._directory)


def _step(directory: Path) -> int:
    found = last_row(directory / "metrics.jsonl").get("step", 0)
    return found if type(found) is int and found >= 0 else 0


def _seconds(directory: Path) -> float:
    found = last_row(directory / "clock.jsonl").get("seconds", 0.0)
    return float(found) if isinstance(found, int | float) else 0.0
