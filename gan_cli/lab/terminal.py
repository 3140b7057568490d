"""A report for whoever reads it in a terminal, and as plain text anywhere else."""

from __future__ import annotations

import rich
import rich.table
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from gan_cli.lab import Report, Table
from gan_cli.lab.report import VERDICTS, lines, numeric, show, verdict

COLOURS = {VERDICTS[True]: "green", VERDICTS[False]: "bold red"}


def tell(report: Report) -> None:
    """Print the tables, the verdict and the words; as Markdown where there is no terminal."""
    out = rich.get_console()
    for table in (*report.tables, verdict(report)):
        if out.is_terminal:
            out.print(Padding(_drawn(table), (1, 0, 0, 0)))
        else:
            out.print("\n".join(["", table.title, "", *lines(table)]), soft_wrap=True, markup=False)
    out.print()
    out.print(escape(report.words), highlight=False, soft_wrap=not out.is_terminal)


def _drawn(table: Table) -> rich.table.Table:
    drawn = rich.table.Table(
        title=escape(table.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD
    )
    for column, name in enumerate(table.head):
        drawn.add_column(escape(name), justify="right" if numeric(table, column) else "left")
    for row in table.rows:
        texts = [show(cell, table.digits) for cell in row]
        drawn.add_row(*(Text(text, COLOURS.get(text, "")) for text in texts))
    return drawn
