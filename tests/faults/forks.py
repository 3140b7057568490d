"""Processes of a moment, which have imported already what this one has."""

from __future__ import annotations

import os
from collections.abc import Callable


def child(work: Callable[[], bool]) -> int:
    """A process of its own that ends with 0 where the work is True."""
    if (number := os.fork()) == 0:
        code = 1
        try:
            code = int(not work())
        finally:
            os._exit(code)
    return number


def ended(child: int) -> int:
    """The exit code of a process, waited for; -9 where it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
