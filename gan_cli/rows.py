"""Files that only grow, row by row, and end after a whole row whatever happens."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import BinaryIO

from gan_cli import disk

_LONGEST = 1 << 20  # bytes of a row: a longer line is none


class Appended:
    """A file that grows by whole pieces: a failed write leaves it as it was.

    Raises OSError when it can't be opened.
    """

    def __init__(self, path: Path):
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self.close = self._file.close

    def cut(self, size: int) -> None:
        """Keeps the first `size` bytes."""
        if size != self._size:
            self._file.truncate(size)
            self._size = size

    def append(self, piece: bytes) -> None:
        """Adds a piece in one write. Raises OSError when not all of it went in."""
        try:
            if self._file.write(piece) != len(piece):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise
        self._size += len(piece)


class Rows(Appended):
    """A file of rows: how many it held when it was opened, and whether it was mended then."""

    count = 0
    mended = False


def rows(path: Path, step: int) -> Rows:
    """A file of rows, cut to those that are whole, in order, and not after `step`.

    A crash spoils the end of a file, and a resumed run writes its steps again. Rows that are good
    behind some that are not (a bad sector, an edit) would not be written again: they are kept, and
    the file is mended. Raises OSError, and DiskFailure where it can't be mended.
    """
    file = Rows(path)
    size, later = 0, list[bytes]()
    with path.open("rb") as lines:
        for line, gap in _good(_lines(lines), step):
            file.count += 1
            if gap:
                later.append(line)
            else:
                size += len(line)
    if not later:
        file.cut(size)
        return file
    file.close()
    with path.open("rb") as old:
        disk.replace(path, old.read(size) + b"".join(later))
    mended = Rows(path)
    mended.count, mended.mended = file.count, True
    return mended


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, up to one that is longer than any row."""
    while line := file.readline(_LONGEST):
        if len(line) == _LONGEST:
            return
        yield line


def _good(lines: Iterable[bytes], step: int) -> Iterator[tuple[bytes, bool]]:
    """The good rows, each with whether something that is none came before it.

    One whose step is behind the next one's is not believed either.
    """
    last, gap = 0, False
    told = ((line, _step(line)) for line in lines)
    for (line, at), (_, following) in pairwise(chain(told, [(b"", 0)])):
        if last < at <= step and not last < following < at:
            last = at
            yield line, gap
        else:
            gap = True


def _step(line: bytes) -> int:
    """The step of a whole row; 0 where the line is none."""
    try:
        step = json.loads(line)["step"] if line.endswith(b"\n") else 0
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
    return step if type(step) is int else 0
