"""Who holds a directory: one process at a time, for as long as it lives."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from gan_cli.errors import UserMistake
from gan_cli.record import now

NAME = ".lock"
_TRIES, _PAUSE = 5, 0.02  # somebody may be asking, for a moment, whether it is held


def hold(directory: Path) -> int:
    """The open lock file of a directory, which is made when missing; closing it lets go.

    Raises UserMistake where another process holds it, and OSError.
    """
    path = directory / NAME
    for _ in range(10):
        directory.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # moved aside in between
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            if (
                _locked(lock, directory)
                and path.exists()
                and os.path.samestat(os.fstat(lock), path.stat())
            ):
                _sign(lock)
                return lock
            os.close(lock)
    raise UserMistake(f"{directory} is being moved by another process; try again")


def _sign(lock: int) -> None:
    """Say who holds it, where there is room for that."""
    with suppress(OSError):
        os.truncate(lock, 0)
        os.pwrite(lock, f"{os.uname().nodename} {os.getpid()} {now()}\n".encode(), 0)


def held(directory: Path) -> bool:
    """Whether a process holds the directory; it is not waited for, and nothing is written."""
    try:
        lock = os.open(directory / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _locked(lock: int, directory: Path) -> bool:
    for last in (*[False] * (_TRIES - 1), True):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if not last:
                time.sleep(_PAUSE)
    host, pid, *_ = [*os.pread(lock, 300, 0).decode(errors="replace").split(), "", ""]
    os.close(lock)
    who = f"process {pid} on {host}" if pid else "another process"
    raise UserMistake(f"{directory} is in use by {who}")
