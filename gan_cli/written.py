"""A table as text, CSV, Markdown, LaTeX or HTML; what a stranger wrote in a cell stays a cell."""

from __future__ import annotations

import csv
import html
import io
import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gan_cli.aligned import aligned, wrapped
from gan_cli.strict import clean

Cell = str | int | float | None
"""None is an empty cell. Numbers are rounded to be read, but not in CSV."""

EMPTY = ""


def write(
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    form: str,
    width: int | None = None,
    notes: Sequence[str] = (),
    keep: int = 1,
) -> str:
    """The table, ending in a line feed; `form` is one of FORMS.

    Only `text` has a `width` to fit into: long cells are cut, and then the columns furthest to the
    right left out, but for the first `keep`, which is said below; None is as wide as it takes.
    `notes` stand below the table, but for CSV, which has no place for them. Columns of numbers are
    aligned to the right. Control characters are replaced. ValueError for rows of another length, or
    another form.
    """
    if form not in FORMS:
        raise ValueError(f"{form!r} is no form of a table: {', '.join(FORMS)}")
    if any(len(row) != len(headers) for row in rows):
        raise ValueError(f"each row must have {len(headers)} cells")
    return _FORMS[form](_Table(headers, rows, notes, width, keep))


def terminal() -> int | None:
    """Columns there are to write in: of the terminal, or $COLUMNS; None where it is no terminal."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return max(20, shutil.get_terminal_size((80, 24)).columns)
    return None


def show(text: str) -> None:
    """Write it to the output, with `?` for what that can't show."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def number(value: float) -> str:
    """Four digits that count; whole numbers in full, up to a million."""
    if not math.isfinite(value):
        return str(float(value))
    if abs(value) < 1e6 and value == int(value):
        return f"{value:.0f}"
    return _POWER.sub(r"e\1", f"{value:.4g}")


_POWER = re.compile(r"e(?:\+|(-))0*(?=\d)")


def setting(text: str | None) -> Cell:
    """A setting as it was typed, as a number where it is one."""
    if text is None or not _NUMERAL.fullmatch(text):
        return text or None
    value = int(text) if text.lstrip("-").isdecimal() else float(text)
    return value if math.isfinite(value) else text


_NUMERAL = re.compile(r"-?\d{1,15}(\.\d*)?(e[+-]?\d+)?", re.ASCII)


class _Table(NamedTuple):
    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str]
    width: int | None
    keep: int

    def spelled(self) -> list[list[str]]:
        """The cells as they are read, the headers first."""
        return [[_spell(cell) for cell in row] for row in (self.headers, *self.rows)]

    def right(self) -> list[bool]:
        """Which columns hold numbers."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.headers)
        return [_numbers(column) for column in columns]


def _text(table: _Table) -> str:
    lines = table.spelled()
    told, shown = aligned(lines, table.right(), table.width, table.keep)
    notes = [*table.notes]
    if missing := lines[0][shown:]:
        notes.append(f"no room at {table.width} columns for: {', '.join(missing)}")
    for note in notes:
        told += wrapped(clean(note, 2000), table.width or 100)
    return "".join(f"{line}\n" for line in told)


def _csv(table: _Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_harmless(header) for header in table.headers])
    writer.writerows([_harmless(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def _harmless(cell: Cell) -> Cell:
    """A cell that a spreadsheet takes for what it is: text that would be a formula gets an
    apostrophe in front, as OWASP's page on CSV injection has it. Numbers keep all their digits."""
    if not isinstance(cell, str):
        return cell
    text = clean(cell, 2000)
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")


def _markdown(table: _Table) -> str:
    head, *rows = ([_plainly(cell) for cell in row] for row in table.spelled())
    rule = ["---:" if flush else "---" for flush in table.right()]
    told = [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]
    notes = [f"\n{_plainly(clean(note, 2000))}" for note in table.notes]
    return "".join(f"{line}\n" for line in told + notes)


def _plainly(text: str) -> str:
    """What Markdown shows as this text, signs and all."""
    return _MARKDOWN.sub(r"\\\g<0>", text)


_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>|#~$&@!]|:(?=//)|(?<=www)\.|^[-+](?=\s)|^=+")


def _latex(table: _Table) -> str:
    sides = "".join("r" if flush else "l" for flush in table.right())
    head, *rows = (" & ".join(_as_latex(cell) for cell in row) + r" \\" for row in table.spelled())
    notes = [f"% {clean(note, 2000)}" for note in table.notes]
    told = [
        *(r"% \usepackage{booktabs}", rf"\begin{{tabular}}{{{sides}}}", r"\toprule", head),
        *(r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", *notes),
    ]
    return "".join(f"{line}\n" for line in told)


def _as_latex(text: str) -> str:
    text = _MINUS.sub("−", text)
    return "".join(_LATEX.get(sign, sign) for sign in text).replace("--", "-{}-")


_MINUS = re.compile(r"(?<![\w.])-(?=[\d.])")


_LATEX = {sign: f"\\{sign}" for sign in "{}$&#%_"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",  # an argument of the line's end before it, else
    "]": "{]}",
    "*": "{*}",
    "±": r"$\pm$",
    "−": "$-$",
    "…": r"\dots{}",
}


def _html(table: _Table) -> str:
    right = table.right()
    head, *rows = table.spelled()
    told = ["<table>", "<thead>", f"<tr>{_cells_of(head, right, 'th')}</tr>", "</thead>", "<tbody>"]
    told += [f"<tr>{_cells_of(row, right, 'td')}</tr>" for row in rows]
    told += ["</tbody>", "</table>"]
    told += [f"<p>{html.escape(clean(note, 2000))}</p>" for note in table.notes]
    return "".join(f"{line}\n" for line in told)


def _cells_of(row: Sequence[str], right: Sequence[bool], tag: str) -> str:
    aligned = {True: ' style="text-align:right"', False: ""}
    cells_and_sides = zip(row, right, strict=True)
    return "".join(f"<{tag}{aligned[r]}>{html.escape(c)}</{tag}>" for c, r in cells_and_sides)


def _spell(cell: Cell) -> str:
    if cell is None:
        return EMPTY
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return clean(cell, 2000)
    return str(cell) if isinstance(cell, int) else number(cell)


def _numbers(column: Sequence[Cell]) -> bool:
    """Whether a column holds numbers, with or without what is behind a ±, and at least one."""
    told = [cell for cell in column if cell not in (None, EMPTY)]
    return bool(told) and all(_is_number(cell) for cell in told)


def _is_number(cell: Cell) -> bool:
    if isinstance(cell, str):
        return bool(_NUMBER.match(cell))
    return not isinstance(cell, bool)


_NUMBER = re.compile(r"\s*[+\-−]?(\d[\d,]*\.?\d*(e[+\-]?\d+)?|inf|nan)( ± [\d.e+\-]+)?%?\s*$")


_FORMS: dict[str, Callable[[_Table], str]] = {
    "text": _text,
    "csv": _csv,
    "markdown": _markdown,
    "latex": _latex,
    "html": _html,
}
FORMS = tuple(_FORMS)
"""The forms that a table can have."""

KINDS = {"table": "text"} | {form: form for form in FORMS[1:]}
"""What `--format` takes, and the form that it is."""
