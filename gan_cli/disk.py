"""Files written so that a crash at any moment leaves the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from gan_cli.errors import DiskFailure
from gan_cli.strict import clean

RETRY_AFTER = 5.0
"""Seconds to wait before the second and last try, where the fault may pass by itself."""

_PASSING = {errno.EINTR, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE}
_CHUNK = 1 << 30
_SMALL = 1 << 20


def replace(path: Path, data: bytes | Sequence[memoryview], sync: bool = True) -> None:
    """Put the data at the path: a temporary file beside it, synced, renamed, directory synced.

    It may be in parts, which follow each other in the file. Honours the umask. Without `sync` a
    power failure can cost the file, and nothing else can. Where a disk is full or a network file
    system has a hiccup it is tried twice. Raises DiskFailure, with the file that was there before
    left as it was and no temporary file left behind.
    """
    parts = [memoryview(data)] if isinstance(data, bytes) else data
    need = sum(part.nbytes for part in parts)
    try:
        _replace(path, parts, sync)
    except OSError as error:
        if error.errno not in _PASSING:
            raise failure(path, error, need) from error
        time.sleep(RETRY_AFTER)
        try:
            _replace(path, parts, sync)
        except OSError as again:
            raise failure(path, again, need) from again


def failure(path: Path, error: OSError, need: int | None = None) -> DiskFailure:
    """What went wrong at that path, with the bytes needed and those that are free."""
    room = "" if need is None else f" (needs {_amount(need)}{_free(path.parent)})"
    return DiskFailure(f"can't write {clean(path)}: {error.strerror or error}{room}")


def tidy(directory: Path) -> int:
    """Remove the temporary files of writers that were killed; how many there were."""
    stale = list(directory.glob(".gan-*.tmp"))
    for path in stale:
        with contextlib.suppress(OSError):
            path.unlink()
    return len(stale)


def probe(directory: Path) -> None:
    """Raise OSError where files can't be made in the directory, and will not be."""
    path = _temporary(directory)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        path.unlink()
    except OSError as error:
        if error.errno not in _PASSING:
            raise


def opened(path: Path, follow: bool = True) -> BinaryIO:
    """A regular file, open to be read; a pipe or a device is not waited for.

    Raises ValueError for what is none, and OSError, also for a link that is not to be followed.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("no regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def sync(paths: Iterable[Path]) -> None:
    """Have what was written to these files and directories reach the disk, as far as it can."""
    for path in paths:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _replace(path: Path, parts: Sequence[memoryview], sync: bool) -> None:
    temporary = _temporary(path.parent)
    try:
        _write(temporary, parts, sync)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if sync:
        _sync_directory(path.parent)


def _temporary(directory: Path) -> Path:
    return directory / f".gan-{secrets.token_hex(6)}.tmp"


def _write(path: Path, parts: Sequence[memoryview], sync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        for part in _gathered(parts):
            view = part
            while view:
                view = view[os.write(descriptor, view[:_CHUNK]) :]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _gathered(parts: Iterable[memoryview]) -> Iterator[memoryview]:
    """The same bytes in fewer parts: the small ones are put together."""
    small = bytearray()
    for part in parts:
        if part.nbytes < _SMALL:
            small += part
        if small and (part.nbytes >= _SMALL or len(small) >= _SMALL):
            yield memoryview(small)
            small = bytearray()
        if part.nbytes >= _SMALL:
            yield part
    if small:
        yield memoryview(small)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems can't
            raise
    finally:
        os.close(descriptor)


def _free(directory: Path) -> str:
    try:
        return f", {_amount(shutil.disk_usage(directory).free)} free"
    except OSError:
        return ""


def _amount(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
