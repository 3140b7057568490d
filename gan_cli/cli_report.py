"""`gan report`: a run, or a sweep, as one page of HTML that opens offline."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gan_cli import disk
from gan_cli.errors import UserMistake
from gan_cli.nearby import suggestion
from gan_cli.options import Parser
from gan_cli.report.run_page import run_page
from gan_cli.report.sweep_page import Study, sweep_page
from gan_cli.strict import clean
from gan_cli.study.folder import Folder, find, is_run
from gan_cli.study.ledger import LEDGER, Ledger

PAGE = "report.html"
"""What the page is called where nobody says."""

EXAMPLES = """\
examples:
  gan report outputs/default
  gan report outputs/sweeps/mine --runs
"""


def main(argv: list[str]) -> int:
    """Write the page, and say where it is. Raises GanError."""
    asked = parser().parse_args(argv)
    if asked.path is None:
        raise UserMistake(f"a report of what? gan report {suggestion()}")
    out = _out(asked.out, asked.path)
    folders, ledger = _found(asked.path)
    if folders[:1] and folders[0].path == asked.path:
        text = run_page(folders[0])
    else:
        if asked.runs:
            _each(folders, asked.path, out)
        text = sweep_page(Study(asked.path, folders, ledger, out.parent))
    disk.replace(out, text.encode())
    sys.stdout.write(f"{clean(out, 1000)} ({len(text.encode()) / 1e6:.1f} MB)\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """What can be typed."""
    words = (
        "One page of HTML, all in one file: samples over time, curves, figures, diagnosis and "
        "settings of a run; leaderboard, differences and every run of a sweep, or of a directory "
        "of runs."
    )
    made = Parser("gan report", words, EXAMPLES, as_is=True)
    add = made.add_argument
    add("path", nargs="?", type=Path, metavar="RUN|SWEEP", help="the directory of either")
    add("--out", type=Path, metavar="FILE.html", help=f"the page (RUN/{PAGE}, SWEEP/{PAGE})")
    add("--runs", action="store_true", help="of a sweep: a page for each of its runs as well")
    return made


def _found(path: Path) -> tuple[list[Folder], Ledger | None]:
    """The runs there, and the ledger of a sweep, whose jobs may have none yet."""
    if is_run(path) or not is_run(path, LEDGER):
        return find([path]), None
    ledger = Ledger.read(path)
    started = any(is_run(Path(job.run)) for job in ledger.jobs)
    return (find([path]) if started else []), ledger


def _out(out: Path | None, path: Path) -> Path:
    """Where the page goes; what can't be is refused before anything is read."""
    if out is None:
        return path / PAGE
    if out.is_dir():
        raise UserMistake(f"--out {clean(out)} is a directory; --out {clean(out / PAGE)}")
    if out.suffix not in (".html", ".htm"):
        raise UserMistake(f"--out {clean(out)}: a page is HTML; --out {clean(out)}.html")
    if not out.parent.is_dir():
        raise UserMistake(f"--out {clean(out)}: there is no directory {clean(out.parent)}")
    return out


def _each(folders: list[Folder], path: Path, up: Path) -> None:
    """A page for each run of the sweep at that path, with the way back; none far from it."""
    from os.path import relpath

    near = (path.resolve(), *path.resolve().parents[1:2])  # outputs/, of outputs/sweeps/NAME
    for folder in folders:
        if not any(folder.path.resolve().is_relative_to(place) for place in near):
            sys.stderr.write(f"{clean(folder.path, 1000)} is elsewhere: gan report it by itself\n")
            continue
        back = relpath(up.resolve(), folder.path.resolve())
        name = path.resolve().name
        disk.replace(folder.path / PAGE, run_page(folder, (name, back)).encode(), sync=False)
