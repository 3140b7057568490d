"""Public data sets brought to this machine: whole, checked and once, or not at all."""

from __future__ import annotations

import errno
import http.client
import queue
import shutil
import socket
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from filelock import FileLock

from gan_cli.errors import DiskFailure, GanError, UserMistake
from gan_cli.strict import clean

PATIENCE = 8.0
"""Seconds that servers have to answer at all, and then to send a next piece."""

_LOCK = ".gan-fetch.lock"
_TEMPORARY = ".gan-fetch-"
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Remote(NamedTuple):
    """A public data set: its name, where its files go, and where they are."""

    name: str
    folder: Path
    files: Sequence[str]
    mirrors: Sequence[str]


def torchvision_datasets() -> ModuleType:
    """The module torchvision.datasets, which knows addresses; 1.5 s, only for missing files."""
    try:
        from torchvision import datasets
    except (ImportError, OSError, RuntimeError) as error:
        raise GanError(
            f"torchvision, which downloads data sets, can't be imported ({clean(error)}): install "
            "torch and torchvision anew, both in one command"
        ) from error
    return datasets


def fetch(
    root: Path, remote: Remote, ready: Callable[[], bool], download: Callable[[Path], None]
) -> None:
    """Bring a data set's files under `root`, unless they are ready.

    `download(directory)` fills an empty directory and checks what came; its files, archives aside,
    are then renamed to the same places under `root`. One process at a time does this, and the
    others find the files ready. Raises UserMistake with the ways out, or DiskFailure.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / _LOCK):
            if not ready():
                for stale in root.glob(f"{_TEMPORARY}*"):  # of a process that was killed
                    shutil.rmtree(stale, ignore_errors=True)
                _bring(root, remote, download)
    except (OSError, RuntimeError, EOFError, ValueError, http.client.HTTPException) as error:
        with suppress(OSError):
            (root / _LOCK).unlink()  # nothing came: leave the directory as it was
        if isinstance(error, OSError) and error.errno in _FULL:
            raise DiskFailure(f"can't write {remote.name} to {root}: {error.strerror}") from error
        raise UserMistake(_ways_out(remote, error)) from error


def _bring(root: Path, remote: Remote, download: Callable[[Path], None]) -> None:
    _reach([mirror + remote.files[0] for mirror in remote.mirrors])
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=root) as name, _deadline(PATIENCE):
        temporary = Path(name)
        download(temporary)
        for path in sorted(temporary.rglob("*")):
            if path.is_file() and not path.name.endswith(".gz"):
                target = root / path.relative_to(temporary)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)


def _reach(urls: list[str]) -> None:
    """Return when one of the addresses answers; raise what went wrong when none does in time."""
    answers: queue.Queue[Exception | None] = queue.Queue()

    def ask(url: str) -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (torchvision's addresses)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
                answers.put(None)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):  # which holds a connection
                error.close()
            answers.put(error)

    for url in urls:  # a look-up of a name can't be given a time limit, but a thread can be left
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    error: Exception | None = None
    for _ in urls:
        try:
            error = answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise TimeoutError(f"no answer within {PATIENCE:.0f} seconds") from error
        if error is None:
            return
    if error:
        raise error


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _ways_out(remote: Remote, error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = clean(lines[-1] if lines else type(error).__name__)
    addresses = "".join(f"\n      {remote.mirrors[0]}{file}" for file in remote.files)
    return (
        f"{remote.name} is not in {remote.folder}, and it could not be downloaded: {cause}\n"
        "One of these helps:\n"
        "  - connect to the network and run the same command again\n"
        f"  - put these files into {remote.folder}, packed or unpacked:{addresses}\n"
        "  - use the embedded digits, dataset=digits, or name a directory that has the files:\n"
        "    data_root=DIRECTORY, or the environment variable GAN_DATA=DIRECTORY"
    )
