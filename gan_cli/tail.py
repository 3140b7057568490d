"""Small and growing files, read while somebody may be writing them, and trusted with nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from gan_cli import disk, strict

SMALL = 1 << 20
"""Bytes of a small file, at most."""

_BLOCK = 1 << 16
_LONGEST = 1 << 20  # bytes of one row, at most
_CROWDED = 1 << 14  # braces, brackets and commas of one row, at most: what it takes in memory

_ROW = 8  # what a row takes besides

MARKS = 1 << 20
"""Braces, brackets and commas of rows that are held all together, at most."""


def small(path: Path, most: int = SMALL) -> str:
    """The text of a small regular file; ValueError where it is none, and OSError."""
    with disk.opened(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than {most} bytes")
    return data.decode()


def last_row(path: Path) -> dict[str, Any]:
    """The last whole row of a file of rows, without reading what is before it; {} where none is."""
    return next(iter(last_rows(path, 1)), {})


def last_rows(path: Path, most: int) -> list[dict[str, Any]]:
    """The last whole rows of a file, the newest first: so many, or those that fit into a block.

    What is no row is passed by. Only the end of the file is read, as far as there is a row.
    """
    try:
        with disk.opened(path) as file:
            size = file.seek(0, os.SEEK_END)
            data, start = b"", size
            while start > 0 and len(data) < _LONGEST:
                start = max(0, start - _BLOCK)
                file.seek(start)
                data = file.read(size - start)
                whole = data[: data.rfind(b"\n") + 1].splitlines()
                lines = reversed(whole if start == 0 else whole[1:])
                if found := list(islice(filter(None, map(_row, lines)), most)):
                    return found
    except (OSError, ValueError):
        pass
    return []


def row_at(path: Path, step: int) -> dict[str, Any]:
    """The last row of a step up to this one, found without reading most of the file; {} for none.

    Of rows in the order of their steps, as training writes them.
    """
    try:
        with disk.opened(path) as file:
            low, high = 0, file.seek(0, os.SEEK_END)
            found: dict[str, Any] = {}
            while low < high:  # the row that begins at or behind the middle is the one asked for
                middle = (low + high) // 2
                file.seek(max(0, middle - 1))
                if middle:
                    file.readline(_LONGEST)
                line = file.readline(_LONGEST)
                row = _row(line) if line.endswith(b"\n") else {}
                if row and row["step"] <= step:
                    found, low = row, file.tell()
                else:
                    high = middle
            return found
    except (OSError, ValueError):
        return {}


def every_row(path: Path, most: int = 1 << 30, marks: int = 1 << 60) -> Iterator[dict[str, Any]]:
    """The whole rows of a file, in order, as far as it is one; none where there is no file.

    A line that is none, half written or too long ends it, as does what lies beyond `most` bytes,
    or beyond so many `marks`.
    """
    try:
        with disk.opened(path) as file:
            read = 0
            while read < most and marks > 0 and (line := file.readline(_LONGEST)).endswith(b"\n"):
                read, marks = read + len(line), marks - _marks(line) - _ROW
                row = _row(line)
                if not row:
                    return
                yield row
    except (OSError, ValueError):
        return


def held_rows(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a file, all at once, as far as there is room for them."""
    return list(every_row(path, marks=MARKS))


def _marks(line: bytes) -> int:
    """What parsing a row costs."""
    return line.count(b"{") + line.count(b"[") + line.count(b",")


def _row(line: bytes) -> dict[str, Any]:
    """A row that says its step; {} where the line is none."""
    if len(line) > _CROWDED and _marks(line) > _CROWDED:
        return {}
    try:
        found = json.loads(line, parse_constant=_refuse, parse_int=_whole)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and type(found.get("step")) is int else {}


def _whole(digits: str) -> int:
    """A whole number that a float can stand for."""
    if len(digits) > _DIGITS:
        raise ValueError("a number past 64 bits")
    return int(digits)


_DIGITS = 20


def _refuse(text: str) -> None:
    raise ValueError(f"{strict.clean(text)} is no JSON")
