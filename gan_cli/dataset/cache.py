"""Decoded images on disk, so that they are decoded once."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_cli.dataset.decode import Decode
from gan_cli.dataset.survey import Survey
from gan_cli.dataset.turn import turn
from gan_cli.strict import clean

TORN = (
    *(OSError, ValueError, LookupError, EOFError, TypeError, zipfile.BadZipFile, zlib.error),
    *(RuntimeError, MemoryError, OverflowError, struct.error),  # of what flipped bits ask for
    *(SyntaxError, tokenize.TokenError),  # of NumPy, which reads the head of an array as Python
)
"""What reading an .npz file raises that is not whole."""


def way(roots: Sequence[Path], decode: Decode) -> str:
    """A name for these directories, decoded so."""
    sha = hashlib.sha256(f"{decode}".encode())
    for root in roots:
        sha.update(b"\0" + os.fsencode(root.resolve()))
    return sha.hexdigest()[:16]


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
        return dataclasses.replace(found, notes=notes)

    def locked(self) -> AbstractContextManager[str]:
        """Keep other processes from preparing the same; gives what is in the way, or ''."""
        return locked(self.file, self._trouble)

    def read(self, images: bool) -> Survey | None:
        """What was written, its pixels only when asked for; a flipped bit shows by the CRC-32 that
        an .npz file has of each of its parts."""
        try:
            with self.file.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                head = json.loads(bytes(stored["head"]))
                if head["key"] != self.key or head["pixels"] != images:
                    return None
                pixels = stored["images"] if images else None
                prints = None if images else stored["prints"]
                return Survey(
                    stored["kept"], pixels, tuple(head["notes"]), prints, head["fingerprint"]
                )
        except TORN:
            return None

    def write(self, found: Survey) -> str:
        """Keep it, atomically; gives what was in the way, or ''.

        It is not waited for until it is on the disk: if it is not whole after a power cut, that
        shows when it is read.
        """
        about = {"key": self.key, "notes": found.notes, "pixels": found.images is not None}
        head = json.dumps(about | {"fingerprint": found.fingerprint})
        temporary = self.file.with_suffix(".tmp")  # under the lock: nobody else's
        none = np.empty(0, np.uint8)
        try:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    head=np.frombuffer(head.encode(), np.uint8),
                    kept=found.kept,
                    images=none if found.images is None else found.images,
                    prints=none if found.prints is None else found.prints,
                )
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


@contextmanager
def locked(file: Path, trouble: Callable[[Exception], str]) -> Iterator[str]:
    """Keep other processes from making the same file; gives what is in the way in words, or ''."""
    with contextlib.ExitStack() as stack:
        told = ""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(turn(file.with_suffix(".lock"), f"preparing {clean(file.name)}"))
        except (OSError, RuntimeError) as error:  # the latter where files can't be locked
            told = trouble(error)
        yield told
