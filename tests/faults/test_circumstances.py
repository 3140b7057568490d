"""Runs in unlucky circumstances: strange files, two at once, clocks, logs."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli import train as training
from tests.faults.dying import Death, done, start, wait
from tests.faults.lives import PLAIN, WATCHED, alike, train
from tests.faults.mounts import on_its_own_disks, tmpfs

pytestmark = pytest.mark.timeout(1800)  # of a whole campaign, on a busy machine
Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]


# ── what is there, and what is not ────────────────────────────────────────────────────────────────


@pytest.mark.fault("C11", "every checkpoint is damaged", "a bit of each is flipped")
def test_a_run_without_a_whole_checkpoint_is_not_begun_again_in_silence(
    lives: Path, tmp_path: Path, tally: Tally
) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    paths = sorted((run / "checkpoints").glob("step-*"))
    for path in paths:
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    before = {path: path.read_bytes() for path in run.rglob("*.*") if path.name != ".lock"}
    code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
    named = all(str(path) in told for path in paths) and "fresh=true" in told
    untouched = all(path.read_bytes() == data for path, data in before.items())
    assert "Traceback" not in told
    good = code == 4 and named and untouched
    tally(1, int(good), "no checkpoint loads: FILE: …; FILE: …; exit 4")


@pytest.mark.fault(
    "C12", "strange things in the directory", "leftovers, foreign files, a directory, pipes, links"
)
def test_strange_things_are_passed_by(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    kept = run / "checkpoints"
    (kept / ".gan-0123456789ab.tmp").write_text("half a checkpoint")
    (run / ".gan-0123456789ab.tmp").write_text("half a generator")
    (kept / "step-foo.safetensors").write_text("mine")
    (kept / "step-9.ganckpt").mkdir()
    (kept / "step-00000010.safetensors").mkdir()
    (kept / "step-00000010.safetensors" / "mine").touch()
    os.mkfifo(kept / "step-00000011.safetensors")
    (kept / "step-00000009.safetensors").symlink_to("step-00000009.safetensors")
    (run / "notes.txt").write_text("mine")
    code, told = done(lambda: train(run, *WATCHED), said), " ".join(said.read_text().split())
    passed = [f"passed over a checkpoint: {kept}/step-000000{n:02}" in told for n in (10, 11, 9)]
    theirs = ["checkpoints/step-foo.safetensors", "checkpoints/step-9.ganckpt", "notes.txt"]
    there = all((run / name).exists() for name in theirs)
    good = code == 0 and all(passed) and there and alike(lives / "watched", run) == []
    tally(8, 8 * good, "passed over a checkpoint: FILE: a directory, not a file")


@pytest.mark.fault(
    "C12", "a directory where a checkpoint belongs", "step-00000012.safetensors/ is there already"
)
def test_a_directory_in_a_checkpoints_place_is_told(
    lives: Path, tmp_path: Path, tally: Tally
) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    (run / "checkpoints" / "step-00000012.safetensors").mkdir()
    code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
    clear = "step-00000012.safetensors: Is a directory" in told and "Traceback" not in told
    (run / "checkpoints" / "step-00000012.safetensors").rmdir()
    again = done(lambda: train(run, *WATCHED), said)
    good = code == 6 and clear and again == 0 and alike(lives / "watched", run) == []
    tally(1, int(good), "can't write FILE: Is a directory; exit 6")


# ── two at once ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("C13", "two processes, one run", "the same command while it trains, or at once")
def test_a_run_is_trained_by_one_process_at_a_time(
    lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    tried, survived, met = times(3, 20), 0, 0
    train(tmp_path / "straight", *PLAIN, "steps=4")
    for number in range(tried):
        run = tmp_path / f"run{number}"

        def trains(run: Path = run) -> None:
            pace = training._pace

            def paced(session: Any, step: int) -> dict[str, float]:
                time.sleep(0.02)
                return pace(session, step)

            training._pace = paced
            train(run, *PLAIN, "steps=4")

        said = [tmp_path / "first", tmp_path / "second"]
        first = start(trains, said[0])
        waiting = range(5000) if number % 2 else ()
        for _ in waiting:
            if (run / "metrics.jsonl").exists():
                break
            time.sleep(0.01)
        second = start(trains, said[1])
        ends = {first: wait(first), second: wait(second)}
        loser = second if ends[second] == 2 else first
        winner, told = first + second - loser, said[loser == second].read_text()
        refused = ends[loser] == 2 and f"{run} is in use by process {winner} on " in told
        late = ends[loser] == 0 and "is done" in " ".join(s.read_text() for s in said)
        good = ends[winner] == 0 and (refused or late)
        met += refused
        survived += good and alike(tmp_path / "straight", run) == []
    assert met > tried / 2  # the others were so slow that one was done before the other began
    tally(tried, survived, "RUN is in use by process PID on HOST; exit 2; the other goes on")


# ── clocks ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("C14", "the clock is put back", "time runs backwards, files have mixed dates")
def test_a_clock_that_jumps_changes_nothing(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"

    def backwards() -> None:
        began, calls = time.time(), 0

        def earlier() -> float:
            nonlocal calls
            calls += 1
            return began - 1000.0 * calls

        time.time = earlier
        train(run, *WATCHED)

    shutil.copytree(lives / "cut", run)
    for number, path in enumerate(sorted(run.rglob("*"))):
        os.utime(path, (2e9 - 1000 * number, 2e9 - 1000 * number))
    code = done(backwards, said)
    steps = [event.step for event in _board(run).Scalars("loss/d")]
    good = code == 0 and alike(lives / "watched", run) == [] and steps == [2, 4, 6, 8, 10, 12]
    tally(1, int(good), "nothing: the newest checkpoint is that of the highest step")


# ── a finished run, and logs ──────────────────────────────────────────────────────────────────────


@pytest.mark.fault("E2", "the command of a run that is done", "typed again, twice")
def test_a_finished_run_is_left_as_it_is(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said, survived = tmp_path / "run", tmp_path / "said", 0
    shutil.copytree(lives / "watched", run)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in run.rglob("*") if p.is_file()}
    before.pop(run / ".lock", None)
    for _ in range(2):
        code = done(lambda: train(run, *WATCHED), said)
        now = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in run.rglob("*") if p.is_file()}
        now.pop(run / ".lock", None)
        survived += code == 0 and now == before and "is done: 12 of 12" in said.read_text()
    tally(2, survived, "RUN is done: 12 of 12 steps; how to go on, how to start over; exit 0")


def _board(run: Path) -> EventAccumulator:
    board = EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    return board


@pytest.mark.fault("E3", "TensorBoard after kills", "kill -9 again and again; its reader")
def test_curves_have_each_step_once_and_in_order(
    lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, kills = tmp_path / "run", tmp_path / "said", random.Random(12), 0
    while kills < times(2, 5):

        def dies() -> None:
            Death(run, chance.randrange(60, 150)).lurk()
            train(run, *WATCHED)

        code = done(dies, said)
        chance.random()
        if code == 0:
            break
        kills += 1
    assert done(lambda: train(run, *WATCHED), said) == 0
    told = [{tag: [e.step for e in board.Scalars(tag)] for tag in board.Tags()["scalars"]}
            for board in (_board(lives / "watched"), _board(run))]  # fmt: skip
    assert kills > 0
    assert alike(lives / "watched", run) == []
    increasing = all(steps == sorted(set(steps)) for steps in told[1].values())
    tally(kills, kills * (increasing and told[0] == told[1]), "curves without a kink")


@pytest.mark.fault("E4", "TensorBoard can't be written", "its directory is a file, or a full disk")
def test_a_run_goes_on_without_its_curves(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said, survived = tmp_path / "run", tmp_path / "said", 0
    shutil.copytree(lives / "cut", run)
    shutil.rmtree(run / "tensorboard")
    (run / "tensorboard").write_text("mine")
    code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
    assert alike(lives / "watched", run) == []
    survived += code == 0 and told.count("warning: no TensorBoard:") == 1

    def full() -> None:
        tmpfs(run / "tensorboard", 4096)
        train(run, *WATCHED)

    shutil.rmtree(run)
    shutil.copytree(lives / "cut", run)
    told = on_its_own_disks(full, said)
    assert alike(lives / "watched", run) == []
    survived += told.count("TensorBoard stops here: No space left on device") == 1
    tally(2, survived, "warning: TensorBoard stops here: …; training goes on")


@pytest.mark.parametrize("name", ["metrics.jsonl", "diagnosis.jsonl"])
@pytest.mark.fault("E4", "rows can't be written for a while", "each row fails once: a full disk")
def test_rows_wait_until_they_can_be_written(name: str, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    asked = (*WATCHED, "log_every=1")
    if name == "metrics.jsonl":  # which looks go by
        asked += ("diagnose.every=null",)
    opened, failed = Path.open, set[bytes]()

    def flaky(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        file = opened(path, mode, *args, **kwargs)
        return _Flaky(file, failed) if path.name == name and mode == "ab" else file

    def train_flaky() -> None:
        Path.open = flaky  # type: ignore[method-assign]
        train(run, *asked)

    assert done(train_flaky, said) == 0
    train(tmp_path / "straight", *asked)
    told = f"{name}: No space left on device" in " ".join(said.read_text().split())
    good = told and alike(tmp_path / "straight", run) == []
    tally(1, int(good), "FILE: No space left on device; rows wait, training goes on")


class _Flaky:
    """A file that takes nothing the first time."""

    def __init__(self, file: Any, failed: set[bytes]):
        self._file, self._failed = file, failed
        self.close, self.tell, self.truncate = file.close, file.tell, file.truncate

    def write(self, piece: bytes) -> int:
        first = piece.splitlines()[-1:]
        last = bool(first) and b'"step": 12' in first[0]
        if first and not last and first[0] not in self._failed:
            self._failed.add(first[0])
            raise OSError(28, os.strerror(28))
        return int(self._file.write(piece))
