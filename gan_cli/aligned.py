"""Columns of text aligned, cut to fit the width of a terminal; wide signs take two places."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

GAP = "  "
SHORTEST = 8
"""Characters of a cell at least, where a table is too wide for its place."""


def aligned(
    lines: Sequence[Sequence[str]], right: Sequence[bool], width: int | None, keep: int
) -> tuple[list[str], int]:
    """Lines of a table, the headers first, with a rule below them, and how many columns are shown.

    right: which columns are flush to the right, as numbers are. In a `width` that is too small long
    cells are cut, and then the columns furthest to the right left out, but for the first `keep`.
    """
    wide = [max(map(cells, column)) for column in zip(*lines, strict=True)]
    longest = [
        room if flush else _cut(room, width) for room, flush in zip(wide, right, strict=True)
    ]
    shown = _fitting(longest, width, keep)
    wide = _narrowed(wide[:shown], longest, right, width, keep)
    told = []
    for line in lines:
        sides = zip(line, wide, right, strict=False)
        told.append(GAP.join(_padded(text, room, flush) for text, room, flush in sides).rstrip())
    told.insert(1, GAP.join("─" * room for room in wide))
    return told, shown


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, each word whole: a path is to be copied."""
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def cells(line: str) -> int:
    """How many places of a terminal a text takes: two for wide signs, none for marks above one."""
    return sum(map(_places, line))


def shortened(text: str, room: int) -> str:
    """The text with its middle left out where it is too long: names differ at both ends."""
    if cells(text) <= room:
        return text
    half = room // 2
    head = tail = text
    while cells(head) > room - 1 - half:
        head = head[:-1]
    while cells(tail) > half:
        tail = tail[1:]
    return f"{head}…{tail}"


def _fitting(wide: list[int], width: int | None, keep: int) -> int:
    """How many columns there is room for, `keep` of them at least."""
    shown = len(wide)
    while shown > keep and width is not None and _total(wide[:shown]) > width:
        shown -= 1
    return shown


def _cut(room: int, width: int | None) -> int:
    """How narrow a column of words may become before others are left out for it."""
    return room if width is None else min(room, max(SHORTEST, width // 3))


def _narrowed(
    wide: list[int], longest: list[int], right: Sequence[bool], width: int | None, keep: int
) -> list[int]:
    """Columns made narrower until all fit: names of rows first, then words, numbers only at last;
    each time the widest of them."""
    wide = [*wide]
    columns = range(len(wide))
    names = [at for at in columns if at < keep and not right[at]]
    for chosen, least in (
        (names, longest),
        ([at for at in columns if not right[at]], [SHORTEST] * len(wide)),
        (columns, [SHORTEST] * len(wide)),
    ):
        while width is not None and _total(wide) > width:
            at = max(
                (at for at in chosen if wide[at] > least[at]), key=wide.__getitem__, default=-1
            )
            if at < 0:
                break
            wide[at] -= 1
    return wide


def _total(wide: list[int]) -> int:
    return sum(wide) + len(GAP) * (len(wide) - 1)


def _padded(text: str, room: int, flush: bool) -> str:
    text = shortened(text, room)
    blank = " " * (room - cells(text))
    return blank + text if flush else text + blank


def _places(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1
