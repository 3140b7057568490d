"""Commands run in this process, and watched: what they write, start, fetch, and how long they take.

A watch can't be taken off, so it is for a process of its own: a forked child, or a subprocess.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
import time
import traceback
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_cli import cli, cli_failure

STARTED = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn"}
    | {"os.spawn", "os.startfile", "pty.spawn", "webbrowser.open", "ctypes.dlopen"}
    | {"pickle.find_class", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname"}
    | {"socket.bind", "socket.sendto", "ftplib.connect", "urllib.Request"}
    | {"shutil.unpack_archive", "syslog.syslog"}
)
"""Events that no file may bring about."""

CHANGED = {
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod"), (0,)),
    **dict.fromkeys(("os.chown", "os.utime", "os.mkfifo", "shutil.rmtree"), (0,)),
    **dict.fromkeys(("os.rename", "os.link", "shutil.move", "shutil.copyfile"), (0, 1)),
    "os.symlink": (1,),
}
"""Events that change what is at a path, and which of their arguments it is."""

HANG = 60.0
"""Seconds by the clock after which nothing more is expected; what counts are those of the
processor, as the machine may have other things to do."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Late(BaseException):
    """It took too long; no Exception, which somebody might catch."""


@dataclass
class Outcome:
    """How a command ended: its exit code, what it told, what it must not have done; seconds of the
    processor, and megabytes more than were in use before it."""

    code: int | str
    out: str
    err: str
    seen: list[str] = field(default_factory=list)
    seconds: float = 0.0
    megabytes: float = 0.0

    def trouble(self, codes: frozenset[int], seconds: float, megabytes: float) -> str:
        """What is wrong with it; '' where nothing is."""
        told = self.err + self.out
        lines = self.err.splitlines()
        wrong = {
            f"ended with {self.code}": self.code not in codes,
            "a traceback": "Traceback (most" in told or cli_failure.BUG in told,
            "several errors": sum(line.startswith("error:") for line in lines) > 1,
            "no word why": self.code not in (0, 1) and not any(map(_says_why, lines)),
            "a warning of Python": "Warning:"
            in self.err.replace("UserWarning: In 'mine': Def", ""),
            "what a terminal obeys": any(map(_obeyed, told)),
            f"did {self.seen[:3]}": bool(self.seen),
            f"took {self.seconds:.1f} s": self.seconds > seconds,
            f"took {self.megabytes:.0f} MB": self.megabytes > megabytes,
        }
        return ", ".join(said for said, so in wrong.items() if so)


def _obeyed(sign: str) -> bool:
    return sign != "\n" and unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")


def _says_why(line: str) -> bool:
    return line.startswith("error: ") and len(line) > 12


class Watch:
    """Looks on from when it is made; what is in `within` may be changed, and nothing else."""

    def __init__(self) -> None:
        self.within: tuple[str, ...] = ()
        self.allowed: frozenset[str] = frozenset()
        self.seen: list[str] = []
        self._on = False
        sys.addaudithook(self._hear)

    def run(
        self, command: list[str] | Callable[[], int], within: Path, hang: float = HANG
    ) -> Outcome:
        """Run a command of gan's; what it does is looked at until it is done."""
        self.within, self.seen = (f"{os.path.realpath(within)}/", "/dev/null"), []
        out, err = io.StringIO(), io.StringIO()
        before, start = most(), time.process_time()
        code: int | str
        try:
            with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
                warnings.simplefilter("always")
                with within_time(hang):
                    self._on = True
                    code = cli.main(command) if isinstance(command, list) else command()
        except Late:
            code = f"nothing, after {hang} s, at {_place()}"
        except BaseException as error:  # noqa: BLE001, told below
            code = f"{type(error).__name__}: {error}"
            traceback.print_exc(file=err)
        finally:
            self._on = False
        spent = time.process_time() - start
        told = out.getvalue(), err.getvalue()
        return Outcome(code, *told, self.seen, spent, most() - before)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            if isinstance(arguments[2], int) and arguments[2] & WRITES:
                self._changes(event, arguments[0], bool(arguments[2] & os.O_NOFOLLOW))
        elif event in CHANGED:
            for at in CHANGED[event]:
                self._changes(event, arguments[at])
        elif event in STARTED and event not in self.allowed:
            self.seen.append(f"{event} {str(arguments)[:200]}")
        elif event in ("exec", "compile", "import"):
            self._runs(event, arguments)

    def _changes(self, event: str, path: object, itself: bool = True) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        # the entry itself is what is renamed or removed; an open file is where links lead
        name = os.fsdecode(path)
        held = os.path.realpath(Path(name).parent if itself else name)
        if not f"{held}/".startswith(self.within):
            self.seen.append(f"{event} {name[:200]}")

    def _runs(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Code from the place of the command itself; modules of libraries may be loaded late."""
        told = arguments[1] if event != "exec" else getattr(arguments[0], "co_filename", "")
        where = os.fsdecode(told) if isinstance(told, str | bytes) else ""
        if where.startswith(self.within[:1]) or "canary" in str(arguments[0])[:4000]:
            self.seen.append(f"{event} {where[:200]}")


def most() -> float:
    """Megabytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_at: list[str] = []


def _place() -> str:
    return _at[-1] if _at else "?"


@contextmanager
def within_time(seconds: float) -> Iterator[None]:
    """Raises Late where it takes longer."""

    def late(_: int, frame: Any) -> None:
        _at[:] = [f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "?"]
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def apart(work: Callable[[], Any]) -> Any:
    """What a function gives in a forked process, whose watches and limits end with it; plain JSON.

    AssertionError with its traceback where it raises, or dies.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        try:
            told = json.dumps([work(), ""])
        except BaseException:  # noqa: BLE001, raised again by who waits
            told = json.dumps([None, traceback.format_exc()])
        with os.fdopen(theirs, "w") as file:
            file.write(told)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    found, trouble = json.loads(text) if text else (None, f"it died: {status}")
    assert not trouble, trouble
    return found
