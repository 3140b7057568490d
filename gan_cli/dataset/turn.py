"""One process at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from gan_cli.strict import clean

SILENT = 5.0
"""Seconds of waiting after which the user is told what for."""


@contextmanager
def turn(lock: Path, doing: str) -> Iterator[None]:
    """Wait until no other process holds that file, then hold it; a process that dies lets go.

    Raises OSError, or RuntimeError, where files can't be locked.
    """
    held = FileLock(lock)
    try:
        held.acquire(timeout=SILENT)
    except Timeout:
        sys.stderr.write(f"waiting for another process, which is {doing} ({clean(lock)}) …\n")
        held.acquire()
    try:
        yield
    finally:
        held.release()
