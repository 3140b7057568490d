"""Commands as processes of their own, started in a moment: forked from one that has loaded torch.

    with Nursery.open() as nursery:
        child = nursery.start(["train", "steps=9"], cwd=tmp_path)
        child.kill(signal.SIGTERM)
        code = child.wait()

A child leads a session of its own, and obeys signals as a command in a terminal does, whatever the
shell that runs the tests ignores.
"""

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests import sweeps
from tests.conftest import ROOT

GAME = (
    *("dataset=digits", "model=mlp", "model.width=8", "batch_size=8", "steps=40", "log_every=5"),
    *("sample_every=10", "checkpoint_every=10", "diagnose.every=5", "diagnose.n=16"),
    *("evaluate_every=10", "evaluate_n=40", "metric=[sliced_wasserstein]", "extractor=raw"),
    *("tensorboard=false", "hardware.threads=1", "hardware.device=cpu"),
)
"""A run of a moment in which everything happens. The process trains it once itself, before the
first command, and so has loaded what they need."""


@dataclass(frozen=True)
class Plant:
    """A moment made long enough to be met: the n-th call of a function waits before it begins.

    The file `here` in the child's directory says that the moment has come. n = 0: every call
    waits, and no file says so.
    """

    function: str
    n: int = 1
    seconds: float = 0.5


@dataclass
class Child:
    """A command that runs, in a process of its own."""

    nursery: Nursery
    pid: int
    place: Path
    code: int | None = None

    def kill(self, number: int) -> None:
        """Send a signal to it and all that it has started."""
        os.killpg(self.pid, number)

    def poll(self) -> int | None:
        """Its exit code, minus the signal that killed it, or None while it runs."""
        if self.code is None:
            self.code = self.nursery.ask({"poll": self.pid})
        return self.code

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit code, once it has ended. TimeoutError where that takes longer."""
        until = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                self.kill(signal.SIGKILL)
                raise TimeoutError(f"still running: {self.out}\n{self.err}")
            time.sleep(0.01)
        return code

    def met(self, what: Path | str = "here", seconds: float = 60.0) -> None:
        """Wait until that file is there. AssertionError where the command ends before."""
        path, until = self.place / what, time.monotonic() + seconds
        while not path.exists():
            assert self.poll() is None, (self.code, self.out, self.err)
            assert time.monotonic() < until, (self.out, self.err)
            time.sleep(0.005)

    @property
    def out(self) -> str:
        """What it has said so far; nothing where that goes elsewhere."""
        path = self.place / f"{self.pid}.out"
        return path.read_text() if path.exists() else ""

    @property
    def err(self) -> str:
        """What it has said on stderr so far; nothing where that goes elsewhere."""
        path = self.place / f"{self.pid}.err"
        return path.read_text() if path.exists() else ""


@dataclass
class Nursery:
    """The process that others are forked from."""

    process: subprocess.Popen[str]
    children: list[Child] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Nursery]:
        """One that ends with all of its children."""
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        nursery = cls(process)
        try:
            yield nursery
        finally:
            for child in nursery.children:
                if child.poll() is None:
                    child.kill(signal.SIGKILL)
            process.communicate(timeout=10)

    def start(
        self,
        words: Sequence[str],
        cwd: Path,
        plants: Sequence[Plant] = (),
        values: dict[str, Any] | None = None,
        out: int | None = None,
        err: int | None = None,
        env: dict[str, str] | None = None,
    ) -> Child:
        """`gan WORDS` in that directory; `values` are set in its modules, as `module:name`.

        out, err: file descriptors, such as those of pipes, instead of files. env: variables besides
        those of the process.
        """
        cwd.mkdir(parents=True, exist_ok=True)
        (cwd / "here").unlink(missing_ok=True)
        planted = [[one.function, one.n, one.seconds] for one in plants]
        asked = {"words": [*words], "cwd": str(cwd), "plants": planted, "values": values or {}}
        asked["env"] = env or {}
        handles = {name: _own(fd) for name, fd in (("out", out), ("err", err)) if fd is not None}
        child = Child(self, self.ask({"start": asked, "handles": handles}), cwd)
        self.children.append(child)
        return child

    def run(self, words: Sequence[str], cwd: Path, **more: Any) -> Child:
        """The same, when it has ended."""
        child = self.start(words, cwd, **more)
        child.wait()
        return child

    def ask(self, request: dict[str, Any]) -> Any:
        """What the process answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{json.dumps(request)}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


WRITE = os.O_WRONLY | os.O_CREAT


def _own(fd: int) -> str:
    return f"/proc/{os.getpid()}/fd/{fd}"


# ── in the process itself ───────────────────────────────────────────────────────────────────────


def _main() -> None:
    sweeps.quick(pytest.MonkeyPatch())
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        assert _quietly(["train", *GAME, "run_dir=r", "steps=5"]) == 0
    seen: set[tuple[str, ...]] = set()
    gc.collect()
    gc.freeze()  # or each child would copy all of it, to see that it is in use
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            words = request["start"]["words"]
            if words[:1] == ["train"] and "-m" not in words and (*words,) not in seen:
                seen.add((*words,))
                _quietly([*words, "--cfg", "job"])  # it is composed once for all children
            handles = {name: os.open(path, WRITE) for name, path in request["handles"].items()}
            if not (answer := os.fork()):
                _child(request["start"], handles)
            for handle in handles.values():
                os.close(handle)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    os._exit(0)


def _quietly(words: list[str]) -> int:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return import_module("gan_cli.cli").main(words)


def _child(asked: dict[str, Any], handles: dict[str, int]) -> NoReturn:
    os.setsid()
    os.chdir(asked["cwd"])
    os.environ.update(asked["env"])
    for number, name in ((1, "out"), (2, "err")):
        handle = handles.get(name) or os.open(f"{os.getpid()}.{name}", WRITE, 0o666)
        os.dup2(handle, number)
        os.close(handle)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, n, seconds in asked["plants"]:
        _plant(name, n, seconds)
    for name, value in asked["values"].items():
        owner, last = _owner(name)
        setattr(owner, last, value)
    sys.argv = ["gan", *asked["words"]]
    code = 1
    try:
        code = import_module("gan_cli.cli").main(asked["words"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001, told as Python does
        traceback.print_exc()
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(code)  # what was not loaded here needs not be taken down


def _owner(name: str) -> tuple[Any, str]:
    module, _, path = name.partition(":")
    *parents, last = path.split(".")
    return reduce(getattr, parents, import_module(module)), last


def _plant(name: str, n: int, seconds: float) -> None:
    owner, last = _owner(name)
    function, calls = getattr(owner, last), 0

    def slow(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == n:
            Path("here").touch()
        if n in (0, calls):
            time.sleep(seconds)
        return function(*arguments, **named)

    setattr(owner, last, slow)


if __name__ == "__main__":
    _main()
