"""Files mutated by the ten thousand, and what the verbs make of them.

    python -m tests.faults.fuzz --cases 20000 --seed 0      counts by verb, kind and exit code
    python -m tests.faults.fuzz --seed 0 --only 1234        one case again, and all that it told

A case is a function of the seed and its number: a sound file, made by gan itself, is mutated, and a
verb is run on it in a process of its own kind: watched, within a time and an amount of memory.
"""

from __future__ import annotations

import argparse
import atexit
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gan_cli import container
from gan_cli.errors import BadFile
from tests.faults import garden, mutate, opened
from tests.faults.guarded import Outcome, Watch
from tests.faults.targets import TARGETS, Target

SECONDS = 5.0
MEGABYTES = 300.0
LIMIT = 4 << 30
"""Bytes of address space beyond what a worker has: what would take more fails at once."""

GENERATION = 400
"""Cases of one process: then another begins, as small as the first."""

CODES = frozenset({0, 2, 4, 5, 6})


@dataclass(frozen=True)
class Case:
    """One mutated file, and the verb that meets it."""

    number: int
    target: Target
    mutation: str
    verb: str

    @property
    def kind(self) -> str:
        """What sort of file it is."""
        return self.target.kind


@dataclass(frozen=True)
class Told:
    """What came of a case; `trouble` is '' where it was survived, and `last` what it told then."""

    number: int
    kind: str
    verb: str
    mutation: str
    code: str
    trouble: str
    seconds: float
    last: str = ""


def chosen(draw: Random) -> tuple[Target, str]:
    """What is mutated, and the verb that meets it."""
    target = draw.choices(TARGETS, [one.weight for one in TARGETS])[0]
    names = sorted(target.verbs)
    return target, draw.choices(names, [target.verbs[name] for name in names])[0]


def verbs(seed: int, cases: int) -> set[str]:
    """The verbs of so many cases."""
    return {chosen(Random(f"{seed} {number}"))[1] for number in range(cases)}


def case_of(seed: int, number: int, root: Path, place: Path) -> tuple[Case, list[str]]:
    """Lay out the files of a case below `place`, which is emptied; the case and its command."""
    draw = Random(f"{seed} {number}")
    target, verb = chosen(draw)
    file = draw.choice(target.files)
    data = (root / file).read_bytes()
    blind = draw.random() < target.blind
    if blind and draw.random() < 0.1:
        other = (root / draw.choice(target.files)).read_bytes()
        made, said = mutate.spliced(other)(data, draw), "spliced"
    else:
        made = mutate.mutated(data, draw) if blind else target.mutation(data, draw)
        said = "blind" if blind else target.mutation.__name__
    lay(root, place, file, made)
    return Case(number, target, said, verb), opened.COMMANDS[verb](file)


def lay(root: Path, place: Path, file: str, made: bytes) -> None:
    """The garden again, with one file in it changed; what is not is the same file on the disk."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    top = file.partition("/")[0]
    for name in {top, *opened.BESIDE.get(top, ())}:
        here = root / name
        if here.is_dir():
            shutil.copytree(here, place / name, copy_function=os.link)
        elif here.is_file():
            os.link(here, place / name)
    (place / file).unlink()
    (place / file).write_bytes(made)


def tried(watch: Watch, seed: int, number: int, root: Path, place: Path) -> tuple[Told, Outcome]:
    """One case, from its files to what came of it."""
    case, command = case_of(seed, number, root, place)
    os.chdir(place)
    run = opened.RUNNERS.get(case.verb)
    outcome = watch.run(command if run is None else lambda: run(command), place)
    codes = CODES | opened.ENDS.get(case.verb, frozenset())
    seconds = opened.SLOW.get(case.verb, SECONDS)
    trouble = outcome.trouble(codes, seconds, MEGABYTES) or _too_good(case, command, outcome, root)
    told = (number, case.kind, case.verb, case.mutation, str(outcome.code)[:200])
    last = " | ".join(outcome.err.splitlines()[-8:])[-900:] if trouble else ""
    return Told(*told, trouble, outcome.seconds, last), outcome


def _too_good(case: Case, command: list[str], outcome: Outcome, root: Path) -> str:
    """Whether a checkpoint was used although it is not the one that was written."""
    if outcome.code != 0 or case.mutation not in ("blind", "spliced") or not case.target.sealed:
        return ""
    file = command[command.index("--ckpt") + 1]
    try:
        same = any(
            container.read(file).sha256 == container.read(root / name).sha256
            for name in case.target.files
        )
    except BadFile:
        return "a damaged file was used"
    return "" if same else "another file was used than was written"


def generation(seed: int, numbers: list[int], root: Path, out: Any) -> None:
    """A process that tries these cases, and tells of each before and after."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + LIMIT, hard))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    place = Path(tempfile.mkdtemp(prefix="fuzz-", dir=root.parent))
    tempfile.tempdir = str(place / "case")
    watch = Watch()
    for number in numbers:
        out.send(number)
        told, _ = tried(watch, seed, number, root, place / "case")
        out.send(told)
        if " MB" in told.trouble:  # what is held at most never falls again
            break
    os.chdir(root)
    shutil.rmtree(place, ignore_errors=True)
    out.close()
    os._exit(0)


def campaign(seed: int, cases: int, root: Path, workers: int) -> Iterator[Told]:
    """Try them all, in as many processes at a time; one that dies costs its case alone."""
    context = multiprocessing.get_context("fork")
    waiting = [
        list(range(start, min(start + GENERATION, cases))) for start in range(0, cases, GENERATION)
    ][::-1]
    running: dict[Any, tuple[Any, list[int]]] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            numbers = waiting.pop()
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=generation, args=(seed, numbers, root, theirs))
            process.start()
            theirs.close()
            running[ours] = process, numbers
        for ours in multiprocessing.connection.wait(list(running), timeout=60):
            process, numbers = running[ours]
            last, done = None, False
            try:
                while ours.poll():
                    message = ours.recv()
                    if isinstance(message, Told):
                        numbers[:] = numbers[numbers.index(message.number) + 1 :]
                        yield message
                    else:
                        last = message
            except EOFError:
                done = True
            if done:
                process.join()
                del running[ours]
                if process.exitcode:
                    crashed = last if last is not None else (numbers or [-1])[0]
                    numbers[:] = [n for n in numbers if n > crashed]
                    yield Told(crashed, "?", "?", "?", "none", f"died: {process.exitcode}", 0.0)
                if numbers:
                    waiting.append(numbers)


@cache
def shared() -> Path:
    """Sound files for all tests of a process, where verbs of the light kind have been run once."""
    place = Path(tempfile.mkdtemp(prefix="gan-garden-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        opened.settle(place, patch)
        root = planted(place / "garden", opened.LIGHT)
    os.chdir(before)
    return root


def planted(root: Path, named: Collection[str] = tuple(opened.COMMANDS)) -> Path:
    """The sound files; these verbs are run on them once, so that what is imported late is here."""
    garden.plant(root)
    warm(root, named)
    return root


def warm(root: Path, named: Collection[str]) -> None:
    """Run these verbs once on sound files, and once on what is none."""
    here = root.parent / f"warm-{os.getpid()}"
    for name, command in sorted(opened.COMMANDS.items()):
        if name not in named:
            continue
        file = next(f for t in TARGETS for f in t.files if name in t.verbs)
        for made in ((root / file).read_bytes(), b"{}"):
            lay(root, here, file, made)
            os.chdir(here)
            run = opened.RUNNERS.get(name)
            _quietly(command(file), run)
    os.chdir(root)
    shutil.rmtree(here, ignore_errors=True)


def _quietly(command: list[str], run: Any) -> None:
    import contextlib
    import io

    from gan_cli import cli

    silent = io.StringIO()
    with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        code = run(command) if run else cli.main(command)
    if os.environ.get("FUZZ_WARM"):
        sys.stderr.write(f"{command} {code}\n{silent.getvalue()}\n")


def main(argv: list[str]) -> int:
    """Run a campaign, or one case of it, and tell."""
    parser = argparse.ArgumentParser("python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this case alone; its files stay")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--place", type=Path, help="where to (a temporary directory)")
    asked = parser.parse_args(argv)
    place = Path(asked.place or tempfile.mkdtemp(prefix="gan-fuzz-")).absolute()
    shutil.rmtree(place, ignore_errors=True)
    opened.settle(place, pytest.MonkeyPatch())
    root = planted(place / "garden")
    if asked.only is not None:
        told, outcome = tried(Watch(), asked.seed, asked.only, root, place / "case")
        print(told, outcome.out, outcome.err, outcome.seen, place / "case", sep="\n")
        return 0
    start = time.monotonic()
    every = []
    for told in campaign(asked.seed, asked.cases, root, asked.workers):
        every.append(told)
        if told.trouble or not len(every) % 1000:
            sys.stderr.write(f"{len(every)}: {told.number} {told.trouble} {told.last}\n")
    spent = time.monotonic() - start
    show(every, asked.seed, spent)
    if asked.place is None:
        os.chdir("/")
        shutil.rmtree(place)
    return int(any(told.trouble for told in every))


def show(every: list[Told], seed: int, spent: float) -> None:
    """Counts by kind, verb and exit code; then what was not survived."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for told in every:
        counts.setdefault((told.kind, told.verb), Counter())[told.code] += 1
    for (kind, verb), codes in sorted(counts.items()):
        print(f"{kind:14}{verb:14}{json.dumps(dict(sorted(codes.items())))}")
    slow = sorted(every, key=lambda told: -told.seconds)[:3]
    print("slowest:", *(f"{told.number} ({told.verb}, {told.seconds:.1f} s)" for told in slow))
    bad = [told for told in every if told.trouble]
    for told in bad:
        print(f"--seed {seed} --only {told.number}: {told.kind} {told.verb}: {told.trouble}")
        print(f"    {told.last}" * bool(told.last))
    print(f"{len(every)} cases in {spent:.0f} s, {len(bad)} not survived")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
