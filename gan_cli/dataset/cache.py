"""Decoded images on disk, so that they are decoded once."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from gan_cli.dataset.source import digest
from gan_cli.dataset.survey import Survey
from gan_cli.strict import clean

_TORN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Cache:
    """One file for what was decoded from one directory in one way.

    `key` says of which contents; a file with another key, or a damaged one, counts as none. Where
    the directory can't be written there is no cache, and `trouble` says so.
    """

    file: Path
    key: str

    def through(self, pixels: bool, make: Callable[[], Survey]) -> Survey:
        """What was kept, with its pixels if they are wanted, or what is made, and kept now."""
        with self.locked() as obstacle:
            if stored := self.read(images=pixels):
                return stored
            found = make()
            trouble = obstacle or self.write(found)
        notes = (*found.notes, trouble) if trouble else found.notes
        return Survey(found.kept, found.images, notes)

    def locked(self) -> AbstractContextManager[str]:
        """Keep other processes from preparing the same; gives what is in the way, or ''."""
        return locked(self.file, self._trouble)

    def read(self, images: bool) -> Survey | None:
        """What was written, its pixels only when asked for and checked by their SHA-256."""
        try:
            with self.file.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                head = json.loads(bytes(stored["head"]))
                if head["key"] != self.key or (images and not head["sha256"]):
                    return None
                pixels = stored["images"] if images else None
                if pixels is not None and head["sha256"] != _sha256(pixels):
                    return None
                return Survey(stored["kept"], pixels, tuple(head["notes"]))
        except _TORN:
            return None

    def write(self, found: Survey) -> str:
        """Keep it, atomically; gives what was in the way, or ''."""
        sha256 = "" if found.images is None else _sha256(found.images)
        head = json.dumps({"key": self.key, "notes": found.notes, "sha256": sha256})
        temporary = self.file.with_suffix(".tmp")  # under the lock: nobody else's
        images = np.empty(0, np.uint8) if found.images is None else found.images
        try:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    head=np.frombuffer(head.encode(), np.uint8),
                    kept=found.kept,
                    images=images,
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.file)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return self._trouble(error)
        return ""

    def _trouble(self, error: Exception) -> str:
        why = getattr(error, "strerror", None) or error
        return (
            f"decoded images are not kept: can't write {clean(self.file.parent)} "
            f"({why}); dataset.cache=DIRECTORY names another place"
        )


def _sha256(images: NDArray[np.uint8]) -> str:
    return digest(torch.from_numpy(images), None)


@contextmanager
def locked(file: Path, trouble: Callable[[Exception], str]) -> Iterator[str]:
    """Keep other processes from making the same file; gives what is in the way in words, or ''."""
    with contextlib.ExitStack() as stack:
        told = ""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(file.with_suffix(".lock")))
        except (OSError, RuntimeError) as error:  # the latter where files can't be locked
            told = trouble(error)
        yield told
