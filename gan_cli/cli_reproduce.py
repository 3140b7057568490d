"""`gan reproduce`: a run is trained again from its record, and held against the first."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from gan_cli import disk, state, written
from gan_cli.cli_compose import Sources, quote
from gan_cli.cli_repeat import Plan, differing
from gan_cli.errors import BadFile, Lost, NumericalFailure, UserMistake
from gan_cli.options import Parser, classes, import_from_here, whole
from gan_cli.record import Record, differences, flat
from gan_cli.reproduce.company import Company, returns
from gan_cli.reproduce.course import Course
from gan_cli.reproduce.stages import Stage
from gan_cli.reproduce.verdict import Verdict
from gan_cli.rows import rows
from gan_cli.run import Run, may_change
from gan_cli.strict import clean
from gan_cli.tail import last_row

NAME = "reproduction.json"
ROUNDING = 1e-3

EXAMPLES = """examples:
  gan reproduce outputs/default              all of it, up to its newest checkpoint
  gan reproduce outputs/default --steps 100  its first steps
  gan reproduce outputs/default --from 4000  what comes after that checkpoint
  gan reproduce RUN --steps 100 --tolerance 1e-3     on another machine
  gan reproduce RUN hardware.threads=2 data_root=~/data

It is trained in RUN.reproduced, or --out; RUN is never written to. The same command goes on where
it was stopped. Rows are compared as they come; where they have come apart, it ends.
Exit code 0: the same bits (with --tolerance: or nearly so), 1: not. docs/reproducibility.md says
what can be expected where.
"""


def main(argv: list[str]) -> int:
    """Run `gan reproduce` with these arguments; 1 where it is not the same. Raises GanError."""
    if (asked := parser().asked(argv)) is None:
        return 0
    for text in asked.overrides:
        if "=" not in text:
            raise UserMistake(f"{clean(text)} is no KEY=VALUE; one run is reproduced at a time")
    import_from_here(asked.config_dir, *classes(asked.overrides))
    sources = Sources(asked.config_dir, asked.config_name)
    run: Path = asked.run
    plan = Plan.make(run, asked.overrides, sources)
    begin, end = _span(run, asked)
    out = asked.out or _beside(run)
    _refuse_place(plan, out)
    if asked.start:
        _begun_at(plan, out, begin, argv)
    course = Course(
        run / "metrics.jsonl", out / "metrics.jsonl", asked.tolerance or ROUNDING, begin
    )
    found = plan.sessions(end, begin)
    told = differing(plan, found, out)
    _greet(plan, out, begin, end, told)
    for stage in found:
        _trained(plan, stage, out, course, asked.to_the_end, ["gan", "reproduce", *argv])
        if course.apart and not asked.to_the_end:
            break
    verdict = _verdict(plan, course, out, end, told)
    disk.replace(out / NAME, verdict.json().encode())
    _show(verdict, out)
    return 0 if verdict.same or (asked.tolerance is not None and verdict.close) else 1


def parser() -> Parser:
    """What can be typed."""
    words = (
        "Train a run again from what it has recorded, compare the two as it goes, and say whether "
        "they are the same: rows of metrics, tensors of the newest checkpoint, pictures."
    )
    made = Parser("gan reproduce", words, EXAMPLES, as_is=True)
    add = made.add_argument
    add("run", type=Path, metavar="RUN", help="the directory of a run")
    words = "hardware.*, or where the data are now"
    add("overrides", nargs="*", default=[], metavar="KEY=VALUE", help=words)
    add("--out", type=Path, metavar="DIR", help="where it is trained again (RUN.reproduced)")
    add("--steps", type=whole(1), metavar="N", help="up to this step (its newest checkpoint)")
    add(
        "--from",
        dest="start",
        type=whole(1),
        metavar="STEP",
        help="from the run's own checkpoint of this step on (from the beginning)",
    )
    add(
        "--tolerance",
        type=_share,
        metavar="SHARE",
        help=f"differences that count as rounding ({ROUNDING:g}); given, they are good enough",
    )
    add("--to-the-end", action="store_true", help="go on where the two have come apart")
    add("--config-dir", "-cd", metavar="CONF", help="the run's directory with entries of your own")
    add("--config-name", "-cn", metavar="NAME", help="the run's own root configuration")
    return made


def _share(text: str) -> float:
    with suppress(ValueError):
        if 0 < (share := float(text)) < 1:
            return share
    raise argparse.ArgumentTypeError(f"{clean(text)!r} is no share between 0 and 1")


def _span(run: Path, asked: argparse.Namespace) -> tuple[int, int]:
    """From which step to which it is trained again."""
    rows = last_row(run / "metrics.jsonl").get("step", 0)
    kept = next((s for s in state.steps(run / "checkpoints") if _loads(run, s)), 0)
    last = max(kept, rows) if asked.steps else kept or rows
    end = asked.steps or last
    begin = asked.start or 0
    if not last:
        raise UserMistake(f"{clean(run)} has trained nothing that could be compared with")
    if end > last:
        raise UserMistake(f"{clean(run)} has {last:,} steps to compare with: --steps {last}")
    if begin and not (begin < end and _loads(run, begin)):
        there = [s for s in sorted(state.steps(run / "checkpoints")) if s < end]
        which = ", ".join(map(str, there)) or "none"
        raise UserMistake(f"--from {begin}: checkpoints of {clean(run)} before the end: {which}")
    if begin and returns(run):
        raise UserMistake("--from: the run went back on its way, so from the beginning: without it")
    return begin, end


def _beside(run: Path) -> Path:
    named = run if run.name not in ("", "..") else run.resolve()
    return named.with_name(f"{named.name}.reproduced")


def _loads(run: Path, step: int) -> bool:
    return state.loads(run / "checkpoints", step)


def _refuse_place(plan: Plan, out: Path) -> None:
    """UserMistake where the directory is the run's own, or holds a run of other settings."""
    if out.resolve() == plan.run.resolve():
        raise UserMistake("--out: the run is not trained over itself: another directory")
    if not (out / "run.json").exists():
        return
    stored = flat(Record.read(out).config)
    told = differences(stored, flat(plan.config))
    other = [text for key, text in told.items() if key in stored and not may_change(key)]
    if other:
        raise UserMistake(f"{clean(out)} holds another run ({clean(other[0], 300)}): --out DIR")


def _begun_at(plan: Plan, out: Path, begin: int, argv: list[str]) -> None:
    """Put the run's checkpoint of a step into the new directory, with what had been seen till then.

    Nothing is done where something has been trained there.
    """
    if state.steps(out / "checkpoints"):
        return
    config = plan.config | {"run_dir": str(out), "fresh": False}
    with Run.open(config, plan.choices, plan.overrides, ["gan", "reproduce", *argv]) as run:
        run.begin()
        for name in ("metrics.jsonl", "diagnosis.jsonl", "evaluations.jsonl"):
            with suppress(FileNotFoundError):
                disk.replace(out / name, (plan.run / name).read_bytes())
                rows(out / name, begin).close()  # what came after that is to be made again
        path = state.path_of(plan.run / "checkpoints", begin)
        disk.replace(state.path_of(run.checkpoints, begin), path.read_bytes())


def _trained(
    plan: Plan, stage: Stage, out: Path, course: Course, goes_on: bool, argv: list[str]
) -> None:
    """Train one session again, from where it is, unless that is done."""
    from gan_cli.console import Console
    from gan_cli.train import launch

    config = plan.configured(stage, out)
    say = Console.make().warn
    data, every = stage.circumstances.get("data"), config["log_every"]
    company = Company(course, stage.end, stage.steps, every, data, goes_on, say)
    at = next(iter(state.steps(out / "checkpoints")), 0)
    company.look(min(at, stage.end))
    if at >= stage.end or (course.apart and not goes_on):
        return
    typed = [*plan.overrides, f"run_dir={quote(str(out))}"]
    try:
        launch(config, plan.choices, typed, argv, beside=company)
    except (Lost, NumericalFailure) as error:  # as the first run may have ended
        say(str(error))
    company.look(stage.end)


def _verdict(plan: Plan, course: Course, out: Path, end: int, told: list[str]) -> Verdict:
    from gan_cli.reproduce.artefacts import pictures, tensors

    found = None
    with suppress(BadFile):  # it did not get so far
        found = tensors(plan.run, out, end)
    drawn = pictures(plan.run, out, course.begin, min(end, course.step or end))
    return Verdict(course, found, drawn, end, told, plan.settings)


def _greet(plan: Plan, out: Path, begin: int, end: int, told: list[str]) -> None:
    """Say what is about to be done, and what is not as it was."""
    span = f"steps {begin + 1:,} to {end:,}"
    lines = [f"{clean(plan.run)} again, {span}, in {clean(out)}"]
    lines += [f"not as it was then: {one}" for one in told]
    lines += [f"gan has another default now, and the run's is used: {t}" for t in plan.settings]
    written.show("".join(f"{line}\n" for line in lines))


def _show(verdict: Verdict, out: Path) -> None:
    width = written.terminal()
    tell: Callable[..., str] = partial(written.write, form="text", width=width)
    told: list[Any] = [tell(*verdict.compared())]
    if not verdict.same and verdict.course.first is not None:
        told.append(tell(*verdict.columns()))
    place = shlex.quote(str(out / NAME))
    told.append(f"{clean(verdict.words, 1000)}\nall of it is in {clean(place)}\n")
    written.show("\n".join(told))
