"""Text for a page of Markdown, in which nothing that a stranger wrote is markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gan_cli.strict import clean

_WORD = re.compile(r"%,?|\d+\.\d+|\(?[^\W_]+(?:[_×'-][^\W_]+)*\)?[,.:;]?")


def worded(text: object) -> str:
    """Words as they are where they can't be markup, or else as code."""
    words = clean(text)
    return words if all(map(_WORD.fullmatch, words.split(" "))) else span(words)


def span(text: object) -> str:
    """Text as code, in which nothing is markup."""
    shown = clean(text).replace("`", "'").replace("|", "¦")
    return f"`{shown}`" if shown.strip() else "` `"


def block(kind: str, code: str) -> str:
    """A block of code."""
    return f"```{kind}\n{code}\n```"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table, of cells that are Markdown already."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
