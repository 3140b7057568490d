"""Processes that die: forks of this one, and what ends them at one of their calls to the system."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gan_cli import cli_failure

CALLS = ("open", "write", "pwrite", "fsync", "replace", "rename", "unlink", "mkdir", "rmdir")
"""What changes a directory and its files, beside `truncate` and the writes of rows."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def start(work: Callable[[], object], said: Path) -> int:
    """Do this in a fork, whose output goes to a file; its process id.

    It ends with the exit code of the command line.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        child = os.fork()
    if child:
        return child
    code = 70
    try:
        sys.stdout = sys.stderr = said.open("w", buffering=1)
        code = _code(work)
    finally:
        sys.stdout.flush()
        os._exit(code)


def _code(work: Callable[[], object]) -> int:
    try:
        work()
    except BaseException as error:  # noqa: BLE001, told as the command line does
        return cli_failure.report(error)
    return 0


def wait(child: int) -> int:
    """The exit code of a fork; of one that was killed, the signal below 0."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def done(work: Callable[[], object], said: Path) -> int:
    """Do this in a fork, to its end; the exit code."""
    return wait(start(work, said))


class Death:
    """Kills this process, by its own hand and as suddenly as kill -9, at its n-th moment.

    A moment is before a call that changes something below the directory, and amid one that writes,
    when half is written. Without `at` the moments are counted, and `names` says what they are.
    """

    def __init__(self, directory: Path, at: int = 0):
        self.directory, self.at, self.names = str(directory), at, list[str]()

    def moment(self, name: str, amid: Callable[[], object] | None = None) -> None:
        """One or two moments."""
        self.names.append(name)
        if len(self.names) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        if amid is not None:
            self.names.append(f"amid {name}")
            if len(self.names) == self.at:
                amid()
                os.kill(os.getpid(), signal.SIGKILL)

    def lurk(self) -> None:
        """Wait for it, from now on, in this process."""
        for name in CALLS:
            setattr(os, name, self._watched(name, getattr(os, name)))
        opened = Path.open
        watch = self

        def rows(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            file = opened(path, mode, *args, **kwargs)
            return _Rows(file, watch, path.name) if mode == "ab" else file

        Path.open = rows  # type: ignore[method-assign]

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            if name in ("write", "pwrite"):
                where, data, *rest = args
                half = data[: len(data) // 2]
                self.moment(name, lambda: call(where, half, *rest))
            elif name == "fsync":
                self.moment(name)
            elif self._changes(name, *args):
                self.moment(f"{name} {Path(args[0]).name}")
            return call(*args, **kwargs)

        return watched

    def _changes(self, name: str, path: Any, *rest: Any) -> bool:
        there = str(path).startswith(self.directory)
        return there and (name != "open" or bool(rest[0] & _WRITING))


class _Rows:
    """A file that grows, whose writes are moments too."""

    def __init__(self, file: Any, death: Death, name: str):
        self._file, self._death, self._name = file, death, name
        self.close, self.tell = file.close, file.tell

    def write(self, piece: bytes) -> int:
        half = piece[: len(piece) // 2]
        self._death.moment(f"append {self._name}", lambda: self._file.write(half))
        return int(self._file.write(piece))

    def truncate(self, size: int) -> None:
        self._death.moment(f"truncate {self._name}")
        self._file.truncate(size)
