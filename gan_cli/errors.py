"""What can go wrong for a user, and the exit code that says which kind it was."""

import signal
from collections.abc import Mapping


class GanError(Exception):
    """A failure told in one message; a job that failed exits with 1.

    `state` is what has become of a run that ended so.
    """

    exit_code = 1
    state = "failed"


class UserMistake(GanError):
    """The command or its configuration can't be right."""

    exit_code = 2


class BadFile(GanError):
    """A file is missing, damaged, foreign or hostile."""

    exit_code = 4


class NumericalFailure(GanError):
    """A number stopped being finite: at which step, and which, where that is known."""

    exit_code = 5

    def __init__(
        self,
        message: str,
        step: int | None = None,
        bad: Mapping[str, tuple[float, ...]] | None = None,
    ):
        super().__init__(message)
        self.step, self.bad = step, bad or {}


class DiskFailure(GanError):
    """The disk is full, read-only or gone."""

    exit_code = 6


class LostRank(GanError):
    """Another process of the same run is gone, so that nobody can go on."""

    state = "interrupted"


class Lost(GanError):
    """Training ended early, and in order, because its policy gave it up: collapsed, or failed."""

    exit_code = 7

    def __init__(self, state: str, message: str):
        super().__init__(message)
        self.state = state


class Stopped(GanError):
    """Training ended early, and in order, because a signal asked for it."""

    state = "interrupted"

    def __init__(self, signum: int, message: str):
        super().__init__(message)
        self.exit_code = 128 + signal.Signals(signum).value
