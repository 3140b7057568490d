"""`gan doctor`: what happened in a run, in plain words, and the command to try next."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli import disk, options
from gan_cli.cli_page import BOLD, CYAN, DIM, GREEN, RED, Page
from gan_cli.diagnosis import Light
from gan_cli.doctor import Findings, Remedy, Symptom, chart, command, findings
from gan_cli.errors import GanError, UserMistake
from gan_cli.record import Record
from gan_cli.strict import clean
from gan_cli.study.folder import Folder
from gan_cli.written import show

if TYPE_CHECKING:
    from gan_cli.cli_rehearse import Rehearsal

MOST = 3
"""Commands that are shown."""

TRIED = 9
"""Remedies that are composed, at most, to find so many that a run would begin with."""

WELL = "Nothing wrong was seen: every sign that could be told is green."
CALM = "Every sign that could be told is green at the last look."

YELLOW = "33"
COLOURS = {Light.GREEN: GREEN, Light.YELLOW: YELLOW, Light.RED: RED}


@dataclass(frozen=True)
class Advice:
    """A remedy as a whole command, '' where the run was made with what must not be typed unread."""

    remedy: Remedy
    command: str


def main(argv: list[str]) -> int:
    """Run `gan doctor` with these arguments; 1 if the run is ill. Raises GanError."""
    asked = _parser().parse_args(argv)
    folder = _folder(asked.run)
    found = findings.of(folder)
    advice = [] if asked.no_advice else _advice(folder.record, found)
    if asked.plot:
        _plot(folder, found, asked.plot)
    _FORMS[asked.format](folder, found, advice)
    return int(found.ill)


def _parser() -> argparse.ArgumentParser:
    parser = options.Parser(
        "gan doctor",
        "What happened in a run, in plain words: its state, the signs that turned yellow or red, "
        "the curves that show it, and the commands to try next.",
        "Exit code 0: nothing is wrong, or only yellow; 1: a sign is red, or the run failed or "
        "collapsed. What each sign means: docs/diagnosis.md.",
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the directory of a run")
    add("--plot", type=Path, metavar="FILE.png", help="draw the curves with their limits as well")
    add("--no-advice", action="store_true", help="leave out what to try next (no torch is loaded)")
    add("--format", choices=sorted(_FORMS), default="text", help="text or json (text)")
    return parser


def _folder(path: Path) -> Folder:
    if not (path / "run.json").is_file():
        raise UserMistake(f"{clean(path)} is no run: gan doctor RUN takes one; gan list has them")
    return Folder(path)


def _advice(record: Record, found: Findings) -> list[Advice]:
    """The first few remedies with which a run would begin."""
    if not found.remedies:
        return []
    if command.foreign(record):
        return [Advice(remedy, "") for remedy in found.remedies[:MOST]]
    from gan_cli.cli_rehearse import Rehearsal

    rehearsal = Rehearsal(record)
    told: list[Advice] = []
    for remedy in found.remedies[:TRIED]:
        if (typed := _begins(rehearsal, record, remedy)) is not None:
            told.append(typed)
        if len(told) == MOST:
            break
    return told


def _begins(rehearsal: Rehearsal, record: Record, remedy: Remedy) -> Advice | None:
    """The remedy as a command that would begin; None where none would.

    A run that can't go on itself begins anew.
    """
    if remedy.resume:
        from gan_cli.cli_compose import Sources, quote
        from gan_cli.cli_resume import rewrite

        asked = [f"resume={quote(remedy.resume)}", *remedy.changes]
        sources = Sources(record.config_dir, record.config_name)
        with suppress(GanError):
            if rehearsal.refusal(rewrite(asked, sources, multirun=False)) is None:
                return Advice(remedy, command.shell(record, asked))
        remedy = replace(remedy, resume="")
    if rehearsal.refusal(command.overrides(record, remedy)) is None:
        return Advice(remedy, command.typed(record, remedy))
    return None


def _text(folder: Folder, found: Findings, advice: list[Advice]) -> None:
    page = Page.make()
    _title(page, str(folder.path), folder.status.state)
    page.text(found.story)
    for symptom in found.symptoms:
        _symptom(page, symptom)
    if not found.symptoms and found.looks and not found.ill:
        page.text(CALM if found.passed else WELL)
    for label, lines in (("Before", found.passed), ("Besides", found.notes)):
        _list(page, label, lines)
    _list(page, "Not told", found.blind)
    if advice:
        page.lines += ["", f"  {page.paint('Try next', BOLD)}"]
        for number, one in enumerate(advice, 1):
            _remedy(page, number, one)
    if found.remedies and folder.record.config_dir:
        page.text("The commands were not tried: they need the --config-dir of the run.")
    page.show()


def _title(page: Page, name: str, state: str) -> None:
    """The run and its state: beside it, or on a line of its own where the name is long."""
    beside = len(name) + 2 + len(state) <= page.width
    page.title(name, state if beside else "")
    if not beside:
        page.lines.append(page.paint(f"{state:>{page.width}}", DIM))


def _symptom(page: Page, symptom: Symptom) -> None:
    colour = COLOURS[symptom.light]
    since = f"on since step {symptom.since:,}" if symptom.since else "on from the start"
    head = f"{page.paint('●', colour)} {page.paint(symptom.name, BOLD, colour)}"
    page.lines += ["", f"  {head}  {page.paint(f'{symptom.light.word}, {since}', DIM)}"]
    text = f"At step {symptom.step:,}: {symptom.words}"
    page.lines += [f"    {line}" for line in page.words(text, 4)]
    if symptom.curve is not None and len(symptom.curve.steps) > 1:
        page.lines += [f"    {line}" for line in chart.chart(symptom.curve, page.width - 4)]


def _list(page: Page, label: str, lines: tuple[str, ...]) -> None:
    if lines:
        page.lines.append("")
    for index, line in enumerate(lines):
        page.row("" if index else label, page.words(line))


def _remedy(page: Page, number: int, one: Advice) -> None:
    """The command on lines of its own, whole, so that it can be copied."""
    told = one.command or f"the same command with {' '.join(one.remedy.changes)}"
    page.lines += ["", f"  {number}  {page.paint(clean(told, 4000), CYAN)}"]
    reason = f"{one.remedy.reason} ({one.remedy.source})"
    page.lines += [f"     {line}" for line in page.words(reason, 5)]


def _json(folder: Folder, found: Findings, advice: list[Advice]) -> None:
    status = folder.status
    told: dict[str, Any] = {
        "run": str(folder.path),
        "state": status.state,
        "step": status.step,
        "ill": found.ill,
        "story": found.story,
        "symptoms": [
            {
                "name": one.name,
                "light": one.light.word,
                "since": one.since,
                "step": one.step,
                "words": one.words,
            }
            for one in found.symptoms
        ],
        "passed": found.passed,
        "notes": found.notes,
        "blind": found.blind,
        "advice": [{"command": one.command, **asdict(one.remedy)} for one in advice],
    }
    show(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


_FORMS = {"text": _text, "json": _json}


def _plot(folder: Folder, found: Findings, path: Path) -> None:
    """The curves of the symptoms as a picture; without any those that are green, or the metrics."""
    if path.suffix.lower() != ".png":
        raise UserMistake(f"--plot {clean(path)}: a picture is a FILE.png")
    from gan_cli.plot.grid import png
    from gan_cli.plot.signs import signs

    lines = [
        (f"{one.name}: {one.light.word}, on since step {one.since:,}", one.curve)
        for one in found.symptoms
        if one.curve is not None and len(one.curve.steps) > 1
    ]
    lines = lines or [(f"{one.name}: green", one) for one in found.calm]
    lines = lines or [(one.name, one) for one in findings.course(folder)]
    if not lines:
        raise UserMistake(f"--plot: {clean(folder.path)} has no curve yet: not two rows of metrics")
    disk.replace(path, png(signs(lines, clean(folder.name, 64), found.story), {}))
