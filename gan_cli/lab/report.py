"""A report as text and files: `table.md`, `results.json` and the pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_cli import disk
from gan_cli.lab import Cell, Claim, Report, Table

VERDICTS = {True: "holds", False: "does not hold"}


def save(report: Report, directory: Path, facts: dict[str, Any]) -> None:
    """Write the report into a directory, which is made; `facts` say how it came about.

    Raises DiskFailure.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.failure(directory, error) from error
    for picture in report.pictures:
        disk.replace(directory / picture.name, picture.data)
    disk.replace(directory / "table.md", markdown(report).encode())
    disk.replace(directory / "results.json", strict(facts | results(report)).encode())


def markdown(report: Report) -> str:
    """The whole report: tables, pictures, verdict, and what it means."""
    blocks = [f"# {report.title}", report.words]
    for table in (*report.tables, verdict(report)):
        blocks += [f"## {table.title}", "\n".join(lines(table))]
    blocks += [f"![{picture.about}]({picture.name})" for picture in report.pictures]
    return "\n\n".join(blocks) + "\n"


def results(report: Report) -> dict[str, Any]:
    """The report as plain data: every number in full, what is not finite as null."""
    return {
        "title": report.title,
        "holds": report.holds,
        "claims": [_claim(claim) for claim in report.claims],
        "tables": [_table(table) for table in report.tables],
        "pictures": {picture.name: picture.about for picture in report.pictures},
    }


def strict(data: dict[str, Any]) -> str:
    """JSON that any reader takes, with a newline at its end."""
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def verdict(report: Report) -> Table:
    """The claims as a table, the known figure beside the one seen."""
    rows = tuple((c.text, c.expected, c.seen, VERDICTS[c.holds]) for c in report.claims)
    return Table("Verdict", ("claim", "known", "seen", "verdict"), rows)


def lines(table: Table) -> list[str]:
    """The table in Markdown, its columns aligned: numbers to the right, words to the left."""
    head = [name.replace("|", "\\|") for name in table.head]
    texts = [[show(cell, table.digits).replace("|", "\\|") for cell in row] for row in table.rows]
    right = [numeric(table, column) for column in range(len(table.head))]
    widths = [max(3, *map(len, column)) for column in zip(head, *texts, strict=True)]
    rule = [f"{'-' * (w - 1)}:" if r else "-" * w for w, r in zip(widths, right, strict=True)]
    padded = [_pad(row, widths, right) for row in (head, *texts)]
    return [f"| {' | '.join(row)} |" for row in (padded[0], rule, *padded[1:])]


def numeric(table: Table, column: int) -> bool:
    """Whether a column holds numbers."""
    cells = [row[column] for row in table.rows if row[column] is not None]
    return all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)


def show(cell: Cell, digits: int) -> str:
    """A cell as text: a number with so many significant digits."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:.{digits}g}" if isinstance(cell, float) else str(cell)


def _pad(row: Sequence[str], widths: list[int], right: list[bool]) -> list[str]:
    columns = zip(row, widths, right, strict=True)
    return [text.rjust(width) if r else text.ljust(width) for text, width, r in columns]


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "claim": claim.text,
        "known": _plain(claim.expected),
        "seen": _plain(claim.seen),
        "holds": claim.holds,
    }


def _table(table: Table) -> dict[str, Any]:
    rows = [[_plain(cell) for cell in row] for row in table.rows]
    return {"title": table.title, "head": list(table.head), "rows": rows}


def _plain(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
