"""Public data sets brought to this machine: whole, checked and once, or not at all."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import queue
import shutil
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from gan_cli.dataset.turn import turn
from gan_cli.dataset.wire import Broken, Closed, guarded
from gan_cli.errors import DiskFailure, GanError, UserMistake
from gan_cli.strict import clean

PATIENCE = 8.0
"""Seconds that servers have to answer at all, and then to send a next piece."""

PAUSES = (0.5, 1.0)
"""Seconds before the second and the third try, where a connection broke."""

_LOCK = ".gan-fetch.lock"
_TEMPORARY = ".gan-fetch-"
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Remote(NamedTuple):
    """A public data set: its name, where its files go, where they are, their SHA-256 as they come.

    A file without a sum is told without one.
    """

    name: str
    folder: Path
    files: Sequence[str]
    mirrors: Sequence[str]
    sha256: Mapping[str, str]


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
        with turn(root / _LOCK, f"downloading {remote.name}"):
            if not ready():
                for stale in root.glob(f"{_TEMPORARY}*"):  # of a process that was killed
                    shutil.rmtree(stale, ignore_errors=True)
                _bring(root, remote, download)
    except (OSError, RuntimeError, EOFError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise DiskFailure(f"can't write {remote.name} to {root}: {error.strerror}") from error
        raise UserMistake(_ways_out(remote, error)) from error


def _bring(root: Path, remote: Remote, download: Callable[[Path], None]) -> None:
    with guarded(PATIENCE, remote.mirrors), _temporary(root) as temporary:
        _reach([mirror + remote.files[0] for mirror in remote.mirrors])
        _tried(download, temporary)
        _check(temporary, remote)
        for path in sorted(temporary.rglob("*")):
            if path.is_file() and not path.name.endswith(".gz"):
                target = root / path.relative_to(temporary)
                target.parent.mkdir(parents=True, exist_ok=True)
                with path.open("rb") as file:
                    os.fsync(file.fileno())  # or a power cut could leave an empty file
                path.replace(target)


@contextmanager
def _temporary(root: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=root) as name:
        yield Path(name)


def _tried(download: Callable[[Path], None], temporary: Path) -> None:
    """Download, and again where a connection broke; what is whole by then is not asked for."""
    for after in (*PAUSES, None):
        try:
            download(temporary)
            return
        except (Closed, ConnectionError, http.client.IncompleteRead):
            if after is None:
                raise
            time.sleep(after)


def _check(temporary: Path, remote: Remote) -> None:
    """Raise ValueError for files that came with other contents than they have everywhere."""
    for path in temporary.rglob("*"):
        wanted = remote.sha256.get(path.name)
        if wanted and file_sum(path) != wanted:
            raise ValueError(f"{path.name} came with other contents than it has (SHA-256)")


def file_sum(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reach(urls: list[str]) -> None:
    """Return when one of the addresses answers; raise what went wrong when none does in time."""
    answers: queue.Queue[Exception | None] = queue.Queue()

    def ask(url: str) -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (torchvision's addresses)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
                answers.put(None)
        except (OSError, ValueError, http.client.HTTPException) as error:
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


def _ways_out(remote: Remote, error: BaseException) -> str:
    if isinstance(error, Broken) and isinstance(error.__context__, OSError):
        error = error.__context__  # why it failed with encryption says more
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "HTTP Error" in line or "urlopen error" in line]
    cause = clean((telling or lines or [type(error).__name__])[-1])
    addresses = "".join(
        f"\n      {remote.mirrors[0]}{file}"
        + (f"\n        SHA-256 {remote.sha256[file]}" if file in remote.sha256 else "")
        for file in remote.files
    )
    return (
        f"{remote.name} is not in {remote.folder}, and it could not be downloaded: {cause}\n"
        "One of these helps:\n"
        "  - connect to the network and run the same command again\n"
        f"  - put these files into {remote.folder}, packed or unpacked:{addresses}\n"
        "  - use the embedded digits, dataset=digits, or name a directory that has the files:\n"
        "    data_root=DIRECTORY, or the environment variable GAN_DATA=DIRECTORY"
    )
