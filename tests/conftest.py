"""What every test can ask for: one thread, the command line, the entries of conf/, MNIST."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

from gan_cli import cli

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"

os.environ["OMP_NUM_THREADS"] = "1"  # read by torch when it is imported, and by subprocesses
cli.spin_briefly()

# The same examples on every run and machine, however slow it is.
settings.register_profile("gan", deadline=None, derandomize=True)
settings.load_profile("gan")


def entries(group: str) -> list[str]:
    """The names that `group=` takes: the stems of conf/<group>/*.yaml, sorted.

    For laws: `@pytest.mark.parametrize("name", entries("loss"))`.
    """
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


class Result(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Give torch its one thread back when a test (or what it called) has taken more, and leave
    products of matrices to it."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        if torch.backends.mkldnn.is_available():
            torch.backends.mkldnn.matmul.fp32_precision = "none"


@pytest.fixture
def gan(tmp_path: Path) -> Callable[..., Result]:
    """The command line in a process of its own, in tmp_path: `gan("train", "steps=2").returncode`.

    `env` adds variables to the environment, `cwd` is another directory to run it in, `timeout` is
    in seconds.
    """

    def run(
        *arguments: str | Path,
        env: dict[str, str] | None = None,
        cwd: Path = tmp_path,
        timeout: float = 100,
    ) -> Result:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-m", "gan_cli", *map(str, arguments)],
            cwd=cwd,
            env={
                **os.environ,
                "PYTHONPATH": path,
                "XDG_CACHE_HOME": str(tmp_path / ".cache"),
                **(env or {}),
            },
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def gan_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """As `gan`, in this process: the seconds that a new one takes to import torch are spared."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
        from gan_cli.cli import main

        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(sys, "path", [*sys.path])
            for name, value in {"XDG_CACHE_HOME": str(tmp_path / ".cache"), **(env or {})}.items():
                patch.setenv(name, value)
            try:
                code = main([str(word) for word in arguments])
            except SystemExit as end:
                code = 0 if end.code is None else int(end.code)
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """XDG_CACHE_HOME of all the processes of these tests: MNIST's judge takes 20 s to be trained.

    It is found by the contents of its data and its recipe, and trained by one process at a time.
    """
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """The data root that holds MNIST's files, from GAN_DATA; skips the test when there is none."""
    named = os.environ.get("GAN_DATA")
    if not named:
        pytest.skip("needs real MNIST: GAN_DATA names no directory")
    root = Path(named).expanduser().absolute()
    if not (root / "MNIST" / "raw").is_dir():
        pytest.skip(f"needs real MNIST: {root} (GAN_DATA) has no MNIST/raw")
    return root
