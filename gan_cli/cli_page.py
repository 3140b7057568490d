"""A page of text for a terminal: aligned, wrapped to its width, plain where nobody reads it."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from gan_cli.strict import clean

WIDEST = 100
"""Columns at most: longer lines are hard to read."""

HANG = 14
"""Columns before the text of a row."""

BOLD, DIM, CYAN, GREEN, RED = "1", "2", "36", "32", "31"
"""What a terminal is told to do."""

_TYPED = re.compile(r"=|^gan |^\w+$")
_CODE = re.compile(r"`([^`]+)`")


@dataclass
class Page:
    """Lines of text; `colour` where they are read on a terminal."""

    width: int = 80
    colour: bool = False
    lines: list[str] = field(default_factory=list)

    @classmethod
    def make(cls) -> Page:
        """As wide as the terminal, up to WIDEST; in colour on a terminal that wants it."""
        width = shutil.get_terminal_size((80, 24)).columns
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        return cls(max(40, min(width, WIDEST)), colour and os.environ.get("TERM") != "dumb")

    def paint(self, text: str, *codes: str) -> str:
        """The text in these colours, where there are any."""
        return f"\033[{';'.join(codes)}m{text}\033[0m" if self.colour and text else text

    def title(self, left: str, right: str = "") -> None:
        """What the page is about; `right` at the end of the line where it fits."""
        if self.lines:
            self.lines.append("")
        left, right = _clean(left), _clean(right)
        gap = self.width - len(left) - len(right)
        line = self.paint(left, BOLD)
        if right and gap >= 2:
            line += " " * gap + self.paint(right, DIM)
        self.lines.append(line)

    def text(self, text: str, indent: int = 2) -> None:
        """A paragraph, after an empty line; one that has lines of its own keeps them."""
        self.lines.append("")
        self.lines += [" " * indent + self.inline(line) for line in self.wrap(text, indent)]

    def row(self, label: str, body: Iterable[str]) -> None:
        """A label at the left, and lines beside it."""
        blank = " " * (HANG - 2)
        head = self.paint(f"{label:{HANG - 2}}", CYAN)
        for line in body:
            self.lines.append(f"  {head}{line}".rstrip())
            head = blank

    def words(self, text: str, hang: int = HANG) -> list[str]:
        """A text for `row`: wrapped to what room there is."""
        return [self.inline(line) for line in self.wrap(text, hang)]

    def table(self, rows: list[tuple[str, str]], hang: int = HANG, most: int = 3) -> list[str]:
        """Two columns for `row`: what is typed, and what it is in `most` lines at most.

        A left cell that is far longer than the others has its line to itself.
        """
        longest = max((len(word) for _, right in rows for word in right.split()), default=0)
        half = min((self.width - hang) // 2, self.width - hang - longest - 2)
        wide = max((len(left) for left, _ in rows if len(left) <= half), default=0)
        lines: list[str] = []
        for left, right in ((_clean(left), right) for left, right in rows):
            head = self.paint(left, BOLD) if _TYPED.search(left) else left
            if len(left) > wide:
                rows_of = self.wrap(left, hang) if len(left) > self.width - hang else [left]
                lines += [self.paint(r, BOLD) if _TYPED.search(left) else r for r in rows_of]
            else:
                head += " " * (wide - len(left))
            told = self.wrap(right, hang + wide + 2)
            if len(told) > most:
                room = self.width - hang - wide - 2
                told = [*told[: most - 1], short(" ".join(told[most - 1 :]), room)]
            for index, line in enumerate(told or [""]):
                beside = index == 0 and len(left) <= wide
                first = head if beside else " " * wide
                lines.append(f"{first}  {self.inline(line)}".rstrip())
        return [line for line in lines if line]

    def wrap(self, text: str, indent: int) -> list[str]:
        """The text in lines that fit behind an indent; code in backticks is not torn apart."""
        room = max(20, self.width - indent)
        whole = _CODE.sub(lambda match: match[0].replace(" ", "\0"), text)
        lines: list[str] = []
        for part in map(_clean, whole.splitlines()):
            mark = re.match(r" *(?:[-*] )?", part)
            hang = " " * len(mark[0] if mark else "")
            lines += textwrap.wrap(
                part,
                room,
                subsequent_indent=hang,
                break_long_words=False,
                break_on_hyphens=False,
            )
        return [line.replace("\0", " ") for line in lines]

    def inline(self, line: str) -> str:
        """A line with its code in a colour instead of backticks, where there are colours."""
        if not self.colour:
            return line
        return _CODE.sub(lambda match: self.paint(match[1], CYAN), line)

    def show(self) -> None:
        """Write the page, with `?` for what the output can't show."""
        told = "\n".join(self.lines) + "\n"
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(told.encode(encoding, "replace").decode(encoding))


def _clean(text: str) -> str:
    """Text that a terminal won't obey; the mark of a space within code stays."""
    return "\0".join(clean(part, len(part)) for part in text.split("\0"))


def short(text: str, room: int) -> str:
    """The text in one line of at most so many characters, cut where a word ends."""
    text = " ".join(text.split())
    if len(text) <= room:
        return text
    cut = text[: max(1, room - 1)]
    head = cut.rsplit(" ", 1)[0] if " " in cut[room // 2 :] else cut
    return head.rstrip(" ,;:(") + "…"
