"""Runs and saves that are killed at any moment: nothing that was reported as saved is lost."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from gan_cli import container, disk, state
from gan_cli.status import Status
from tests.faults.dying import Death, done, start, wait
from tests.faults.lives import EVENTFUL, LOST, PLAIN, alike, train
from tests.games import composed

pytestmark = pytest.mark.timeout(1800)  # of a whole campaign, on a busy machine
Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]
MEMORY = Path("/dev/shm")


@pytest.fixture
def quick() -> Iterator[Path]:
    """A directory on a fast disk: what is killed leaves what it has written anywhere."""
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where, prefix="gan-faults-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Everything that training needs is imported, and composed, before this process is forked."""
    done_once = tmp_path_factory.mktemp("warm")
    composed(*EVENTFUL)
    train(done_once / "run", *PLAIN, "tensorboard=true", "metric=frechet", "extractor=raw")


def counted(directory: Path, *overrides: str) -> list[str]:
    """The moments of a run at which it can be killed."""

    def count() -> None:
        death = Death(directory)
        death.lurk()
        try:
            train(directory, *overrides)
        finally:
            directory.with_suffix(".names").write_text("\n".join(death.names))

    done(count, directory.with_suffix(".said"))
    return directory.with_suffix(".names").read_text().splitlines()


# ── saves ───────────────────────────────────────────────────────────────────────────────────────


def saves(directory: Path, size: int, first: int, told: int) -> None:
    """Save one checkpoint after the other, and say of each that it is saved."""
    tensors = {"G/w": torch.rand(size)}
    for step in range(first, 10**6):
        state.save(directory, step, tensors, {"step": step, "kind": "train"})
        os.write(told, f"{step}\n".encode())


@pytest.mark.fault("C1", "killed while it saves", "kill -9 at a random moment of saves in a loop")
def test_a_killed_save_costs_nothing_that_was_saved(quick: Path, times: Times, tally: Tally):
    size, chance, survived, tried = times(3_000_000, 16_000_000), random.Random(1), 0, times(6, 200)
    step, longest = 1, size / 2e7
    for _ in range(tried):
        reading, told = os.pipe()
        child = start(lambda s=step, t=told: saves(quick, size, s, t), quick / "said")  # type: ignore[misc]
        os.close(told)
        time.sleep(chance.uniform(0.02, 0.1 + longest))
        os.kill(child, signal.SIGKILL)
        assert wait(child) == -signal.SIGKILL, (quick / "said").read_text()
        with os.fdopen(reading) as pipe:
            saved = [int(line) for line in pipe if line.endswith("\n")]
        found = state.newest(quick)
        newest = found.checkpoint.meta["step"] if found else 0
        survived += newest >= max(saved, default=step - 1) and not (found and found.rejected)
        step = newest + 1
    assert step > 2
    tally(tried, survived, "the newest checkpoint that was reported as saved loads")


@pytest.mark.fault(
    "C3", "the order in which things reach the disk", "the system's calls of a save are recorded"
)
def test_the_file_is_synced_before_it_is_renamed_and_the_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
):
    calls: list[str] = []

    def recorded(name: str) -> None:
        call = getattr(os, name)

        def record(*args: object, **kwargs: object) -> object:
            calls.append(name)
            return call(*args, **kwargs)

        monkeypatch.setattr(os, name, record)

    for name in ("open", "write", "fsync", "close", "replace"):
        recorded(name)
    container.write(tmp_path / "a", {"G/w": torch.zeros(3)}, {})
    expected = ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]
    tally(1, int(calls == expected), "nothing: a power failure leaves the old file or the new one")


@pytest.mark.fault(
    "C3", "a power failure that takes rows of a saved step", "the syncs of a whole run are recorded"
)
def test_rows_are_on_the_disk_before_the_checkpoint_that_is_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
):
    fsync, replace, calls = os.fsync, os.replace, list[tuple[str, Path]]()

    def synced(descriptor: int) -> None:
        calls.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def renamed(old: Path, new: Path) -> None:
        calls.append(("replace", Path(new)))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    run = tmp_path / "run"
    train(run, *PLAIN, "steps=4", "metric=frechet", "extractor=raw", "evaluate_every=2")
    saved = [i for i, (_, path) in enumerate(calls) if path.name.startswith("step-0") and
             path.suffix == ".safetensors"]  # fmt: skip
    needed = {("fsync", run / "metrics.jsonl"), ("fsync", run / "evaluations.jsonl"),
              ("fsync", run)}  # fmt: skip
    good = [
        needed <= set(calls[before:at]) and ("fsync", run / "checkpoints") in calls[at:]
        for before, at in zip([0, *saved], saved, strict=False)
    ]
    tally(len(saved), sum(good), "nothing: no row of a step before a checkpoint is lost")


# ── runs ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault(
    "C1",
    "a run that is killed again and again",
    "kill -9 at a random moment, then the same command",
)
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(
    quick: Path, warm: None, times: Times, tally: Tally
):
    sizes = (*PLAIN, "steps=60", "checkpoint_every=5", "sample_every=60")
    began = time.monotonic()
    assert done(lambda: train(quick / "straight", *sizes), quick / "said") == 0
    lasts, chance = time.monotonic() - began, random.Random(2)
    run, kills, survived, wanted = quick / "run", 0, 0, times(2, 30)
    while True:
        before = state.newest(run / "checkpoints")
        child = start(lambda: train(run, *sizes), quick / "said")
        if kills < wanted:
            time.sleep(chance.uniform(0.05, lasts))
            os.kill(child, signal.SIGKILL)
        code, said = wait(child), (quick / "said").read_text()
        if code == 0 and kills < wanted:  # it was faster: once more, from its beginning
            assert alike(quick / "straight", run) == []
            shutil.rmtree(run)
            continue
        step = before.checkpoint.meta["step"] if before else 0
        tells = re.search(r"(?:resuming|training) .*run(?:: | at step (\d+) of )", said)
        survived += tells is None or int(tells[1] or 0) == step
        if code == 0:
            break
        kills += 1
    assert tells is not None
    assert alike(quick / "straight", run) == []
    assert survived == kills + 1
    tally(kills, kills, "resuming RUN at step 25 of 60; in the end the same, bit for bit")


def outlives(where: Path, at: int, code: int, *overrides: str) -> list[str]:
    """What is wrong after a run was killed at a moment and the same command went on."""
    run, said = where / "run", where / "said"
    shutil.rmtree(run, ignore_errors=True)

    def dies() -> None:
        Death(run, at).lurk()
        train(run, *overrides)

    assert done(dies, said) == -signal.SIGKILL, said.read_text()
    if (ended := done(lambda: train(run, *overrides), said)) != code:
        return [f"exit code {ended}: {said.read_text()[-500:]}"]
    return alike(where / "straight", run)


def chosen(names: list[str], few: int, many: int, times: Times) -> list[int]:
    """The numbers of some of the moments, of every kind of them; or of all."""
    if len(names) <= times(few, many):
        return [*range(1, len(names) + 1)]
    return sorted(random.Random(3).sample(range(1, len(names) + 1), times(few, many)))


@pytest.mark.fault(
    "C2",
    "killed at a call to the system",
    "kill -9 before each open, write, sync, rename and removal of a run, and amid each write",
)
def test_a_run_outlives_its_death_at_every_call(
    quick: Path, warm: None, times: Times, tally: Tally
):
    done(lambda: train(quick / "straight", *PLAIN), quick / "said")
    names = counted(quick / "counted", *PLAIN)
    assert alike(quick / "straight", quick / "counted") == []
    moments = chosen(names, 4, 10**6, times)
    wrong = {f"{at} {names[at - 1]}": outlives(quick, at, 0, *PLAIN) for at in moments}
    wrong = {moment: found for moment, found in wrong.items() if found}
    assert wrong == {}
    tally(len(moments), len(moments) - len(wrong), "the same command goes on; same bits")


@pytest.mark.fault(
    "C2",
    "killed at a call to the system, of a run that is measured, watched, goes back and is given up",
    "as above, and amid its going back",
)
def test_an_eventful_run_outlives_its_death_at_every_call(
    quick: Path, warm: None, times: Times, tally: Tally
):
    assert done(lambda: train(quick / "straight", *EVENTFUL), quick / "said") == LOST
    names = counted(quick / "counted", *EVENTFUL)
    assert alike(quick / "straight", quick / "counted") == []
    moments = chosen(names, 1, 150, times)
    wrong = {f"{at} {names[at - 1]}": outlives(quick, at, LOST, *EVENTFUL) for at in moments}
    wrong = {moment: found for moment, found in wrong.items() if found}
    assert wrong == {}
    tally(len(moments), len(moments) - len(wrong), "the same command goes on; same bits and ending")


@pytest.mark.fault(
    "C2", "killed while fresh=true moves a run aside", "kill -9 before each call, amid each write"
)
def test_what_fresh_moves_aside_is_there_whenever_it_is_killed(
    quick: Path, warm: None, times: Times, tally: Tally
):
    tiny = (*PLAIN, "steps=2")
    train(quick / "first", *tiny)
    weights = container.read(quick / "first" / "generator.safetensors").sha256
    shutil.copytree(quick / "first", quick / "counted")
    opening = counted(quick / "counted", *tiny, "fresh=true")
    until = next(i for i, name in enumerate(opening) if name.startswith("append metrics"))
    moments = chosen(opening[:until], 3, 10**6, times)
    survived = 0
    for at in moments:
        for old in quick.glob("run*"):
            shutil.rmtree(old)
        shutil.copytree(quick / "first", quick / "run")

        def dies(at: int = at) -> None:
            Death(quick, at).lurk()
            train(quick / "run", *tiny, "fresh=true")

        assert done(dies, quick / "said") == -signal.SIGKILL
        kept = [p for p in quick.glob("run*") if (p / "generator.safetensors").exists()]
        found = [container.read(path / "generator.safetensors").sha256 for path in kept]
        assert done(lambda: train(quick / "run", *tiny), quick / "said") == 0
        survived += found == [weights] and not alike(quick / "first", quick / "run")
    tally(len(moments), survived, "the earlier run, in its place or in RUN.old-1")


@pytest.mark.fault(
    "R3", "killed over and over, each time at a call", "kill -9 at random calls, until it is done"
)
def test_a_run_that_dies_at_every_turn_gets_there(
    quick: Path, warm: None, times: Times, tally: Tally
):
    done(lambda: train(quick / "straight", *PLAIN), quick / "said")
    chance, tried, ended = random.Random(4), 0, 0
    for life in range(times(1, 12)):
        run = quick / f"run{life}"
        code = -signal.SIGKILL
        while code == -signal.SIGKILL:
            at = chance.randrange(25, 90)

            def dies(run: Path = run, at: int = at) -> None:
                Death(run, at).lurk()
                train(run, *PLAIN)

            before = state.steps(run / "checkpoints")
            code = done(dies, quick / "said")
            tried += 1
            ended += state.steps(run / "checkpoints")[:1] >= before[:1]
        assert code == 0, (quick / "said").read_text()
        assert alike(quick / "straight", run) == []
    tally(tried, ended, "no more than one interval is done again")


def test_a_run_that_was_over_says_so_although_it_was_killed_before_it_could(
    quick: Path, warm: None
):
    tiny = (*PLAIN, "steps=2")
    train(quick / "run", *tiny)
    whole = container.read(quick / "run" / "generator.safetensors").sha256
    names = counted(quick / "counted", *tiny)
    last = max(i for i, name in enumerate(names) if name.startswith("replace")) + 1
    straight = quick / "run"
    straight.rename(quick / "straight")
    assert outlives(quick, last, 0, *tiny) == []  # the last thing it writes is its status
    assert Status.read(quick / "run").state == "done"
    generator = quick / "run" / "generator.safetensors"
    generator.unlink()
    train(quick / "run", *tiny)
    assert container.read(generator).sha256 == whole


def test_leftovers_of_a_killed_writer_are_removed_wherever_they_are(quick: Path, warm: None):
    run = quick / "run"
    train(run, *PLAIN, "steps=2")
    for place in (run, run / "checkpoints", run / "samples"):
        (place / ".gan-0123456789ab.tmp").write_text("half a file")
        (place / ".gan-notes").write_text("mine")
    train(run, *PLAIN, "steps=4")
    assert sorted(path.name for path in run.rglob(".gan-*")) == [".gan-notes"] * 3
    assert disk.tidy(run) == 0
