"""`gan compare`: runs side by side, seeds averaged, with what their differences are worth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gan_cli import disk, written
from gan_cli.cli_board import Compared, each_run, exact, readable
from gan_cli.cli_remarks import about, runless
from gan_cli.errors import UserMistake
from gan_cli.options import Parser, add_device, whole
from gan_cli.strict import clean
from gan_cli.study import where
from gan_cli.study.folder import find
from gan_cli.study.leaderboard import STEP, Board, Group, arranged, board
from gan_cli.study.reach import OVER, reach
from gan_cli.study.result import BEST, LAST, Result, read
from gan_cli.study.settings import natural, spelled
from gan_cli.study.where import Condition

EXAMPLES = """examples:
  gan compare outputs/sweeps/NAME           a sweep, its seeds averaged
  gan compare outputs --figures frechet     every run there is, by one figure
  gan compare outputs --where loss=hinge,wgan 'optimizer.lr<1e-3'
  gan compare outputs --reach 'frechet<=20' --format markdown
  gan compare outputs --curves curves.png --grids samples.png
"""

ENDS = {".txt": "table", ".csv": "csv", ".md": "markdown", ".tex": "latex", ".html": "html"}
"""What a file's name says about its form."""


def main(argv: list[str]) -> int:
    """Run `gan compare` with these arguments. Raises GanError."""
    if (given := parser().asked(argv)) is None:
        return 0
    form = _form(given)
    results = _filtered(_results(given), given)
    compared = compare(results, given)
    compared.notes.extend(runless([Path(path) for path in given.outputs or ["outputs"]]))
    _write(compared, given, form)
    for line in _pictures(compared.board, given):
        sys.stderr.write(f"{line}\n")
    return 0


def _pictures(made: Board, given: argparse.Namespace) -> list[str]:
    """Draw what is asked for; what there is to say about it."""
    if not given.curves and not given.grids:
        return []
    from gan_cli import cli_pictures

    said = []
    if given.curves:
        said += cli_pictures.curves(made, given.curves, given.over, given.figures)
    if given.grids:
        said += cli_pictures.grids(made, given.grids, given.device)
    return said


def parser() -> Parser:
    """What can be typed."""
    words = "A leaderboard of runs: mean ± deviation over seeds, and differences between groups."
    made = Parser("gan compare", words, EXAMPLES, as_is=True)
    add = made.add_argument
    add("outputs", nargs="*", metavar="OUTPUTS", help="runs, sweeps, directories (outputs)")

    def conditions(flag: str, word: str, words: str) -> None:
        add(flag, nargs="+", action="extend", default=[], metavar=word, help=words)

    add("--figures", type=_names, default=[], metavar="A,B", help="what is compared, first first")
    add(
        "--at",
        type=_at,
        default=LAST,
        metavar="WHEN",
        help="each run's last evaluation (last), its best, or that of a step",
    )
    conditions("--where", "CONDITION", "only these runs: loss=hinge 'optimizer.lr<1e-3'")
    conditions("--against", "CONDITION", "the group that others are held against (the best)")
    conditions("--reach", "GOAL", "how long each took to a quality: 'frechet<=20'")
    add("--by", type=_names, metavar="A,B", help="group by these settings, averaging over the rest")
    add("--sort", metavar="WHAT", help="a figure, a setting, step or name (the first figure)")
    add("--reverse", action="store_true", help="the other way round")
    add("--runs", action="store_true", help="a row for each run, not for each group")
    add("--format", choices=written.KINDS, help="how it is written (table)")
    add("--out", type=Path, metavar="FILE", help="where it is written (the terminal)")
    add("--curves", type=_png, metavar="FILE.png", help="the curves of the figures, overlaid")
    add("--over", choices=OVER, default=STEP, help="what curves go along")
    add("--grids", type=_png, metavar="FILE.png", help="samples of the same noise, side by side")
    add_device(made)
    return made


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("it names nothing")
    return list(dict.fromkeys(names))


def _at(text: str) -> str:
    return text if text in (LAST, BEST) else str(whole(0)(text))


def _png(text: str) -> Path:
    if Path(text).suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{clean(text)!r} is no name that ends in .png")
    return Path(text)


def _form(given: argparse.Namespace) -> str:
    """The form of the table: as asked, or as the name of its file has it."""
    if given.format or given.out is None:
        return written.KINDS[given.format or "table"]
    end = given.out.suffix.lower()
    if end not in ENDS:
        raise UserMistake(f"--out {clean(given.out)}: a name that ends in {', '.join(ENDS)}")
    return written.KINDS[ENDS[end]]


def _results(given: argparse.Namespace) -> list[Result]:
    return [read(folder, given.at) for folder in find(given.outputs or ["outputs"])]


def _filtered(results: list[Result], given: argparse.Namespace) -> list[Result]:
    """Those that meet every condition; UserMistake where none does."""
    if not given.where:
        return results
    known = {key for result in results for key in result.told}
    conditions = where.read(given.where, known)
    kept = [r for r in results if all(one.holds(r.told) for one in conditions)]
    if not kept:
        asked = " and ".join(map(str, conditions))
        raise UserMistake(
            f"none of these {len(results)} runs has {clean(asked)}{_instead(results, conditions)}"
        )
    return kept


def _instead(results: list[Result], conditions: list[Condition]) -> str:
    """What the first condition that no run meets could have said."""
    for one in conditions:
        if not any(one.holds(result.told) for result in results):
            values = {spelled(r.told[one.key]) for r in results if one.key in r.told}
            return f"; {clean(one.key)} is {clean(', '.join(sorted(values, key=natural)), 120)}"
    return ""


def compare(results: list[Result], given: argparse.Namespace) -> Compared:
    """The board of these results, with the reference and the times that were asked for."""
    figures = {name for result in results for name in result.figures}
    settings = {key for result in results for key in result.settings}
    goals = where.read(given.reach, figures)
    for name in given.figures:
        if name not in figures:
            raise where.unknown(name, figures, "figure of these runs")
    for name in given.by or ():
        if name not in settings:
            raise where.unknown(name, settings, "setting of these runs")
    made = board(results, given.figures, given.by)
    reference = _reference(made, given.against, settings)
    if given.sort or given.reverse:
        by = given.sort or (made.figures[0].name if made.figures else STEP)
        sortable = {*made.columns, *(figure.name for figure in made.figures), STEP, "name"}
        if by not in sortable:
            raise where.unknown(by, sortable, "column to sort by")
        made = arranged(made, by, given.reverse)
    reaches = {
        group.key: [reach([r.folder for r in group.results], goal) for goal in goals]
        for group in made.groups
    }
    typed = tuple(map(str, goals))
    return Compared(made, reference, typed, reaches, about(made, reference, given.runs))


def _reference(made: Board, against: list[str], settings: set[str]) -> Group | None:
    """The group that meets these conditions, or the best; None where nothing is measured.

    The best of those of which several seeds were measured, if there are any: one may be luck.
    """
    conditions = where.read(against, settings)
    if not against:
        figure = next(iter(made.figures), None)
        if figure is None or not figure.better:
            return None
        counts = [
            (group, spread.n) for group in made.groups if (spread := group.spread(figure.name))
        ]
        several = [group for group, n in counts if n > 1]
        return next(iter([*several, *(group for group, _ in counts)]), None)
    found = [g for g in made.groups if all(c.holds(g.results[0].settings) for c in conditions)]
    if len(found) != 1:
        told = f"{len(found)} groups are so" if found else "no group is so"
        names = clean(", ".join(group.called(made.columns) for group in found or made.groups), 400)
        raise UserMistake(f"--against {clean(' '.join(against))}: {told}; name one of {names}")
    return found[0]


_EXACT = {"csv"}
"""Forms in which numbers keep all their digits."""


def _write(compared: Compared, given: argparse.Namespace, form: str) -> None:
    if given.runs:
        sheet = each_run(compared.board, given.sort or "", given.reverse, form in _EXACT)
    else:
        sheet = exact(compared) if form in _EXACT else readable(compared)
    width = None if given.out else written.terminal()
    text = written.write(sheet.headers, sheet.rows, form, width, compared.notes, sheet.keep)
    if given.out is None:
        written.show(text)
        return
    try:
        given.out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.failure(given.out, error) from error
    disk.replace(given.out, text.encode())
