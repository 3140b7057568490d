"""Files that only grow, row by row, and end after a whole row whatever happens."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path


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


def rows(path: Path, step: int) -> Appended:
    """A file of rows, cut to those that are whole, in order, and not after `step`.

    What follows the first other row goes too: a crash spoils the end of a file, and a resumed run
    writes its steps again. Raises OSError.
    """
    file = Appended(path)
    size, last = 0, 0
    with path.open("rb") as lines:
        for line in lines:
            try:
                row = json.loads(line)["step"]
                if not line.endswith(b"\n") or not last < row <= step:
                    break
            except (ValueError, TypeError, KeyError):
                break
            size, last = size + len(line), row
    file.cut(size)
    return file
