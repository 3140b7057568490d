"""Scores on the terminal and on the disk: a table, a file, and another evaluation beside it."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from gan_cli import disk
from gan_cli.cli_evaluate import Asked
from gan_cli.cli_page import BOLD, DIM, Page
from gan_cli.errors import UserMistake
from gan_cli.evaluation import Examiner
from gan_cli.scores import Measured, Scores, compare, unlike
from gan_cli.strict import clean

_KEPT = {".json"}

BETTER = {1: "more", -1: "less", 0: ""}
"""Which way is better."""


def earlier(asked: Asked, examiner: Examiner, weights: str) -> Scores | None:
    """The evaluation to compare with: the newest of that run that is of the same protocol.

    UserMistake, before anything is measured, where there is none; it says what differs.
    """
    if asked.against is None:
        return None
    paths = [asked.against]
    if not asked.against.is_dir() and asked.against.suffix.lower() not in _KEPT:
        raise UserMistake(
            f"--against {clean(asked.against)}: a run, or a .json file of its evaluations/"
        )
    if asked.against.is_dir():
        found_there = (asked.against / "evaluations").glob("*.json")
        files = [path for path in found_there if path.is_file()]
        paths = sorted(files, key=lambda one: one.stat().st_mtime, reverse=True)
    if not paths:
        known = clean(asked.against)
        raise UserMistake(f"{known} has not been evaluated: gan evaluate --ckpt {known}")
    found = [Scores.read(path) for path in paths]
    mine, metrics = examiner.protocol(weights), {*examiner.question.metrics}
    differing = [mine.differences(one.protocol, metrics & one.metrics) for one in found]
    alike = [one for one, reasons in zip(found, differing, strict=True) if not reasons]
    if not alike:
        raise unlike(differing[0])
    for one in alike:
        if metrics & one.metrics:
            return one
    raise UserMistake(
        f"{clean(asked.against)} was asked for {', '.join(sorted(alike[0].metrics))}: the same "
        "--metrics here"
    )


def keep(asked: Asked, scores: Scores) -> Path | None:
    """Write the scores: where it is asked for, or beside what was measured."""
    out = asked.out
    if out is None and asked.ckpt is not None:
        place = Path(asked.ckpt)
        place = place if place.is_dir() else place.parent
        place = place.parent if place.name == "checkpoints" else place
        folder = place / "evaluations"
        if folder.is_symlink():
            raise UserMistake(f"{clean(folder)} leads elsewhere: say where to write with --out")
        asked_of = (
            dataclasses.astuple(scores.protocol),
            *(scores.seed, scores.interval, scores.checkpoint["sha256"]),
        )
        sha = hashlib.sha256(repr(asked_of).encode()).hexdigest()[:8]
        step, n = scores.checkpoint["step"], scores.protocol.fake
        out = folder / f"step-{step:08d}-n{n}-{scores.protocol.extractor}-{sha}.json"
    if out is None:
        return None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.failure(out, error) from error
    disk.replace(out, scores.to_json().encode())
    return out


def tell(asked: Asked, scores: Scores, other: Scores | None) -> None:
    """The figures as a table."""
    page, protocol = Page.make(), scores.protocol
    what = asked.ckpt or asked.fake or ""
    step = f", step {scores.checkpoint['step']}, {protocol.weights} weights" if asked.ckpt else ""
    page.title(f"{protocol.fake:,} samples of {clean(what)}{step}")
    page.row("Against", page.words(f"{protocol.real:,} of {protocol.data} ({protocol.split})"))
    page.row("Seen by", page.words(scores.about["extractor"]))
    page.row("Real", page.words(scores.about["floor"]))
    page.row("Interval", page.words(scores.interval))
    page.lines.append("")
    wide = max([len(name) for name in scores.figures] or [6])
    head = f"  {'':{wide}}  {'value':>9}  {'95 % interval':>20}  {'real':>9}  better"
    page.lines.append(page.paint(head, DIM))
    for name, one in scores.figures.items():
        page.lines.append(f"  {page.paint(f'{name:{wide}}', BOLD)}{_cells(one)}")
    for name, reason in scores.refused.items() if asked.named or asked.fake else ():
        page.text(f"no {name}: {reason}")
    if other is not None:
        _beside(page, scores, other)
    page.show()


def _cells(one: Measured) -> str:
    spread = "" if one.low is None or one.high is None else f"{one.low:.4g} to {one.high:.4g}"
    real = "" if one.floor is None else f"{one.floor:.4g}"
    return f"  {one.value:>9.4g}  {spread:>20}  {real:>9}  {BETTER[one.better]}".rstrip()


def _beside(page: Page, scores: Scores, other: Scores) -> None:
    """Two evaluations of the same protocol, and where they differ beyond chance."""
    rows = compare(scores, other)
    wide = max(len(name) for name, *_ in rows)
    page.lines += ["", page.paint(f"  {'':{wide}}  {'this':>9}  {'the other':>9}", DIM)]
    for name, a, b, verdict in rows:
        page.lines.append(f"  {name:{wide}}  {a.value:>9.4g}  {b.value:>9.4g}  {verdict}".rstrip())
