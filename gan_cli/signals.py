"""Signals that ask a training run to save and stop."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any] | int | None
STOPPING = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP")
LEAVING = ("SIGTERM", "SIGHUP")


class Abandoned(BaseException):
    """A request to stop has met work that can be done again later. Not an Exception, so that the
    work does not take it for a failure of its own."""


@contextmanager
def leaving() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is done here by SystemExit, with the usual exit code, so that
    what it has put aside is cleared away. What was ignored on entry stays ignored."""

    def leave(signum: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    previous: dict[int, Handler] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name, None) for name in LEAVING):
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                previous[number] = signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Interrupt:
    """Turns a request to stop into `signum`, which the loop reads between two steps.

        with Interrupt() as interrupt:
            for step in steps:
                …
                if interrupt.signum is not None:
                    break

    Ctrl-C, and what schedulers send (SIGTERM, SIGUSR1, SIGUSR2, SIGHUP), are noted, the first
    one counts; a second Ctrl-C raises KeyboardInterrupt where it meets the program, unless it
    comes within `grace` seconds (torchrun passes a Ctrl-C on to those who had it already). What was
    ignored on entry (`nohup`) stays ignored. Outside the main thread, where Python allows no
    handlers, nothing is noted and `signum` stays None.
    """

    def __init__(self, grace: float = 0.0) -> None:
        self.signum: int | None = None
        self._pressed, self._grace = math.inf, grace
        self._previous: dict[int, Handler] = {}
        self._abandons = False

    @contextmanager
    def abandoning(self) -> Iterator[None]:
        """Work that is not waited for: a request to stop, noted before or meanwhile, ends it by
        Abandoned. To be caught outside of the `with`."""
        self._abandons = True
        try:
            if self.signum is not None:
                raise Abandoned
            yield
        finally:
            self._abandons = False

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is not threading.main_thread():
            return self
        for name in STOPPING:
            number = getattr(signal, name, None)  # Windows has only some of them
            if number is None or signal.getsignal(number) in (signal.SIG_IGN, None):
                continue
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc: object) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT:
            now = time.monotonic()
            if now - self._pressed >= self._grace:
                raise KeyboardInterrupt
            self._pressed = min(now, self._pressed)
        if self.signum is None:
            self.signum = signum
            if self._abandons:
                raise Abandoned
