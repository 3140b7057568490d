"""Files, runs and configurations of strangers, met by every verb that opens one.

Each meeting is watched: nothing is run, fetched, or written outside of the place; it ends within
two seconds of the processor and 200 MB, in one line that says why. `few` of the verbs meet each
thing in the suite, all of them in the campaign.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests import hostile
from tests.faults import fuzz, malice, opened
from tests.faults.guarded import Watch, apart

Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]
Meeting = tuple[str, list[str], Path]
"""What is met, the command, and the place that it may write to."""

SECONDS, MEGABYTES = 2.0, 200.0
CODES = frozenset({0, 1, 2, 4, 5, 6})

ON_FILES = ("sample", "export", "serve", "invert", "evaluate", "init_from")
"""The verbs that open a file of a generator."""

ON_RUNS = (
    *("list", "compare", "compare runs", "compare reach", "report", "doctor"),
    *("sample run", "export run", "evaluate run", "resume", "doctor advice"),
)
"""The verbs that open a run directory."""

COMPOSING = ("evaluate", "init_from", "evaluate run", "resume", "doctor advice")
OFTEN = 20
"""Verbs that compose a configuration, which takes a while, and how often one is tried then."""

RESUMED = ("out metrics.jsonl", "pipe metrics.jsonl", "checkpoints out", "lock out")
"""What must not be written to where a run goes on."""

PICKLES = {name: one for name, one in hostile.FILES.items() if one[1] == hostile._PICKLE}
OTHERS = {name: one for name, one in hostile.FILES.items() if name not in PICKLES}


@pytest.fixture
def place() -> Path:
    """Where everything happens, with sound files in `garden`."""
    return fuzz.shared().parent


def met(
    place: Path, meetings: Callable[[Path], Iterator[Meeting]], codes: frozenset[int] = CODES
) -> int:
    """How many meetings there were; AssertionError with those that did harm."""

    def work() -> tuple[int, list[str]]:
        opened.settle(place, pytest.MonkeyPatch())
        here = place / "here"
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(place / "garden", here)
        os.chdir(here)
        tried, bad, watch = 0, list[str](), Watch()
        for name, command, within in meetings(here):
            run = opened.RUNNERS.get(name.partition(":")[0])
            outcome = watch.run(command if run is None else lambda: run(command), within)  # noqa: B023
            tried += 1
            seconds = opened.SLOW.get(name.partition(":")[0], SECONDS)
            trouble = outcome.trouble(codes, seconds, MEGABYTES)
            if (here / "canary").exists() or Path("canary").exists():
                trouble = f"{trouble}, the canary"
            if trouble:
                bad.append(f"{name} {command[0]}: {trouble}: {outcome.err[-600:]}")
        return tried, bad

    tried, bad = apart(work)
    assert not bad, "\n".join(bad)
    assert tried
    return int(tried)


def in_turn(number: int, names: Sequence[str], count: int) -> Sequence[str]:
    """So many of the verbs for the thing of that number; of the slow ones, one now and then."""
    if count >= len(names):
        return names
    quick = [name for name in names if name not in COMPOSING]
    slow = [name for name in names if name in COMPOSING]
    found = [quick[0], *(quick[1:][(number + at) % len(quick[1:])] for at in range(count))]
    return found if number % OFTEN else [*found, slow[number // OFTEN % len(slow)]]


def on_files(
    files: Mapping[str, tuple[Callable[[], bytes], str]], verbs: int
) -> Callable[..., Iterator[Meeting]]:
    """Each file, met by so many of the verbs in turn."""

    def meetings(here: Path) -> Iterator[Meeting]:
        for number, (name, (make, _)) in enumerate(files.items()):
            (here / "evil.safetensors").write_bytes(make())
            for verb in in_turn(number, ON_FILES, verbs):
                yield f"{verb}: {name}", opened.COMMANDS[verb]("evil.safetensors"), here

    return meetings


REFUSED = frozenset({2, 4})


@pytest.mark.fault("H1", "a pickle in place of a checkpoint", "every verb opens one of the list")
def test_no_pickle_is_loaded(place: Path, times: Times, tally: Tally) -> None:
    tried = met(place, on_files(PICKLES, times(1, len(ON_FILES))), REFUSED)
    tally(tried, tried, "a pickle file (PyTorch .pt); not loaded, because opening one can run code")


@pytest.mark.fault(
    "H2", "a safetensors file that lies", "headers, digests and metadata of the list"
)
def test_no_lie_of_a_header_is_believed(place: Path, times: Times, tally: Tally) -> None:
    tried = met(place, on_files(OTHERS, times(1, len(ON_FILES))), REFUSED)
    tally(tried, tried, "exit code 4, and what is wrong with the file, in one line")


@pytest.mark.fault("H3", "a sound file that asks for too much", "classes, sizes, names and codes")
def test_what_is_asked_for_is_looked_at(place: Path, times: Times, tally: Tally) -> None:
    tried = met(place, on_files(hostile.REQUESTS, times(1, len(ON_FILES))), REFUSED)
    tally(tried, tried, "exit code 4, and what it asks for that can't be, in one line")


@pytest.mark.fault("H4", "no file where one is named", "pipes, devices, loops, holes, URLs")
def test_a_place_without_a_file_is_told(place: Path, times: Times, tally: Tally) -> None:
    verbs = times(2, len(ON_FILES))

    def meetings(here: Path) -> Iterator[Meeting]:
        for number, (name, (make, _)) in enumerate(hostile.PLACES.items()):
            where = str(make(here / f"evil-{name}"))
            for verb in in_turn(number, ON_FILES, verbs):
                yield f"{verb}: {name}", opened.COMMANDS[verb](where), here

    tried = met(place, meetings, REFUSED)
    tally(tried, tried, "exit code 4, and what stands there instead")


def on_runs(
    changes: Mapping[str, malice.Change], verbs: int, names: Sequence[str] = ON_RUNS
) -> Callable[..., Iterator[Meeting]]:
    """Each run, met by so many of the verbs in turn."""

    def meetings(here: Path) -> Iterator[Meeting]:
        for number, (name, change) in enumerate(changes.items()):
            for verb in in_turn(number, names, verbs):
                shutil.rmtree("run")
                shutil.rmtree("out", ignore_errors=True)
                shutil.copytree("../garden/run", "run", copy_function=os.link)
                change(here / "run")
                yield f"{verb}: {name}", opened.COMMANDS[verb]("run"), here

    return meetings


@pytest.mark.fault("H3", "a run directory that lies", "run.json, status.json, ledgers, evaluations")
def test_a_run_of_a_stranger_is_only_text(place: Path, times: Times, tally: Tally) -> None:
    tried = met(place, on_runs(malice.METADATA, times(2, len(ON_RUNS))))
    tally(
        tried, tried, "what can't be read is told in a line, or left out; nothing of it is obeyed"
    )


@pytest.mark.fault("H4", "a run directory of pipes and links", "in place of each of its files")
def test_links_and_pipes_of_a_run_lead_nowhere(place: Path, times: Times, tally: Tally) -> None:
    bait = malice.bait(place)
    before = bait.read_bytes()
    resumed = {name: malice.PATHS[name] for name in RESUMED}
    tried = met(place, on_runs(malice.PATHS, times(1, len(ON_RUNS))))
    tried += met(place, on_runs(resumed, 1, ("resume",)), frozenset({4, 6}))
    assert bait.read_bytes() == before
    assert [path.name for path in bait.parent.iterdir()] == ["file"]
    tally(tried, tried, "it is passed over or told; nothing outside of the run is written")


@pytest.mark.fault("H5", "a run directory of bombs", "rows without end, millions of keys, pictures")
def test_a_run_of_bombs_is_read_within_bounds(place: Path, times: Times, tally: Tally) -> None:
    tried = met(place, on_runs(malice.DATA, times(2, len(ON_RUNS))))
    tally(tried, tried, "what is within bounds is told, in less than 200 MB more")


@pytest.mark.fault("H6", "texts that a terminal or a shell obeys", "in all that describes a run")
def test_no_text_of_a_run_is_obeyed(place: Path, times: Times, tally: Tally) -> None:
    few = times(0, 1)
    some = dict(list(malice.TEXTS.items())[:: 1 if few else 5])
    tried = met(place, on_runs(some, times(1, 6)))
    tally(tried, tried, "the text, with ? for what can't be seen")


@pytest.mark.fault("H4", "a sweep that names runs elsewhere", "absolute paths, ../../.., -rf")
def test_a_ledger_leads_nowhere(place: Path, times: Times, tally: Tally) -> None:
    def meetings(here: Path) -> Iterator[Meeting]:
        for told in malice.LEDGERS.values():
            (here / "sweep" / "ledger.json").write_text(json.dumps(told))
            for verb in ("list sweep", "compare sweep", "report sweep"):
                yield f"{verb}: {str(told)[:80]}", opened.COMMANDS[verb]("sweep"), here / "sweep"

    tried = met(place, meetings)
    tally(tried, tried, "the ledger is refused in a line, or its runs are missing")


@pytest.mark.fault("H5", "a configuration that runs more than it names", "files under --config-dir")
def test_a_configuration_makes_classes_of_its_kind_alone(
    place: Path, times: Times, tally: Tally
) -> None:
    named = times(0, 1)
    told = {n: t for n, t in malice.CONFIGURATIONS.items() if named or n in malice.FEW}

    def meetings(here: Path) -> Iterator[Meeting]:
        words = ["--config-dir", "conf"]
        train = ["train", "loss=mine", *words, *opened._SMALL, "run_dir=out"]
        others = (["explain", "loss=mine"], ["list", "loss"], ["check", "loss=mine"])
        for name, text in told.items():
            (here / "conf" / "loss" / "mine.yaml").write_text(text)
            for command in (train, *([*other, *words] for other in others if named)):
                shutil.rmtree("out", ignore_errors=True)
                yield f"check: {name}", command, here

    tried = met(place, meetings)
    tally(tried, tried, "exit code 2 or 4, and what the file may not say")
