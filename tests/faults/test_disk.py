"""Disks that are full or failing: a run ends well, and goes on when they are whole."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli import container, disk
from gan_cli.errors import DiskFailure
from tests.faults.dying import done
from tests.faults.lives import FULL, alike, train
from tests.faults.mounts import on_its_own_disks, tmpfs

pytestmark = pytest.mark.timeout(1800)  # of a whole campaign, on a busy machine
Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]
TENSORS = {"G/w": torch.arange(6.0).reshape(2, 3), "count": torch.tensor([1, 2])}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second try comes without the wait before it."""
    monkeypatch.setattr(disk, "RETRY_AFTER", 0.0)


# ── failing calls ─────────────────────────────────────────────────────────────────────────────────

SITES = [(n, i) for n in ("open", "write", "fsync", "close", "replace") for i in (1, 2)]
SITES = [site for site in SITES if site not in (("write", 2), ("replace", 2))]


def _failing(name: str, number: int, code: int, times: int = 1) -> Callable[..., Any]:
    """The call `name`, whose `number`th use and the `times - 1` after it fail."""
    call, count = getattr(os, name), 0

    def fail(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if number <= count < number + times:
            if name == "close":
                call(*args)
            raise OSError(code, os.strerror(code))
        return call(*args, **kwargs)

    return fail


@pytest.mark.fault(
    "C7", "a fault that lasts", "each call of a save fails with EACCES, EROFS or EFBIG"
)
def test_a_lasting_fault_anywhere_leaves_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    path, codes, survived = tmp_path / "a", (errno.EACCES, errno.EROFS, errno.EFBIG), 0
    for name, number in SITES:
        for code in codes:
            container.write(path, TENSORS, {"step": 1})
            with monkeypatch.context() as patch:
                patch.setattr(os, name, _failing(name, number, code))
                with pytest.raises(DiskFailure) as caught:
                    container.write(path, TENSORS, {"step": 2})
            told = [os.strerror(code), str(path), "needs 0.3 kB", " free)"]
            whole = container.read(path).meta["step"] == (2 if number == 2 else 1)
            alone = [entry.name for entry in tmp_path.iterdir()] == ["a"]
            survived += whole and alone and all(text in str(caught.value) for text in told)
    tally(len(SITES) * 3, survived, "can't write FILE: Permission denied (needs …, … free); exit 6")


@pytest.mark.fault(
    "C7",
    "a fault that may pass",
    "each call of a save fails with EINTR, EIO, ENOSPC, EDQUOT, ESTALE",
)
def test_a_passing_fault_is_tried_again_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: None, tally: Tally
) -> None:
    path, survived, codes = tmp_path / "a", 0, sorted(disk._PASSING)
    for name, number in SITES:
        for code in codes:
            path.unlink(missing_ok=True)
            with monkeypatch.context() as patch:
                patch.setattr(os, name, _failing(name, number, code))
                container.write(path, TENSORS, {"step": 1})
            assert container.read(path).meta["step"] == 1
            with monkeypatch.context() as patch:
                patch.setattr(os, name, _failing(name, number, code, times=100))
                with pytest.raises(DiskFailure, match=os.strerror(code)):
                    container.write(path, TENSORS, {"step": 2})
            alone = [entry.name for entry in tmp_path.iterdir()] == ["a"]
            survived += alone and container.read(path).meta["step"] in (1, 2)
    tally(len(SITES) * len(codes), survived, "nothing; if it stays: can't write FILE: …; exit 6")


@pytest.mark.fault("C7", "writes that are cut short", "the system takes seven bytes at a time")
def test_short_writes_are_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    container.write(tmp_path / "a", TENSORS, {})
    same = torch.equal(container.read(tmp_path / "a").tensors["G/w"], TENSORS["G/w"])
    tally(1, int(same), "nothing")


def _faulty(run: Path, at: int, code: int, lasts: bool) -> None:
    """Let the `at`th call that changes the run fail, and where it lasts all after it."""
    count = 0

    def wrapped(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def maybe(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            reads = name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR)
            elsewhere = isinstance(args[0], str | Path) and not str(args[0]).startswith(str(run))
            if not (reads or elsewhere or str(args[0]).endswith(".lock")):
                count += 1
                if count == at or (lasts and count > at):
                    raise OSError(code, os.strerror(code))
            return call(*args, **kwargs)

        return maybe

    for name in ("open", "write", "fsync", "replace"):
        setattr(os, name, wrapped(getattr(os, name), name))
    disk.RETRY_AFTER = 0.0


@pytest.mark.parametrize("lasts", [False, True])
@pytest.mark.fault(
    "C7", "a fault in the middle of a run", "a call anywhere in a run fails, once or from then on"
)
def test_a_run_meets_a_fault_anywhere(
    straight: Path, tmp_path: Path, lasts: bool, times: Times, tally: Tally
) -> None:
    run, said, chance = tmp_path / "run", tmp_path / "said", random.Random(5)
    tried, survived = times(1, 40), 0
    for _ in range(tried):
        shutil.rmtree(run, ignore_errors=True)
        at, code = chance.randrange(1, 120), chance.choice(sorted(disk._PASSING))

        def meets(at: int = at, code: int = code) -> None:
            _faulty(run, at, code, lasts)
            train(run, *FULL)

        ended, told = done(meets, said), said.read_text()
        clear = ended == (6 if lasts else 0) and "Traceback" not in told
        clear = clear and (not lasts or os.strerror(code) in told)
        again = done(lambda: train(run, *FULL), said)
        survived += clear and again == 0 and alike(straight, run) == []
    tally(tried, survived, "nothing; if it stays: can't write FILE: …; exit 6; the command goes on")


# ── full disks ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("C6", "the disk is full", "the run is on a tmpfs that fills up, here and there")
def test_a_full_disk_ends_a_run_that_goes_on_when_there_is_space_again(
    straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    where, said, tried = tmp_path / "small", tmp_path / "said", times(3, 40)
    outcomes = tmp_path / "outcomes"

    def scenario() -> None:
        for number in range(tried):
            tmpfs(where, 8 << 20)
            run, filler = where / "run", where / "filler"
            filler.write_bytes(bytes((8 << 20) - number * (240 << 10) // max(1, tried - 1)))
            ended, told = done(lambda run=run: _train_at_once(run), said), said.read_text()  # type: ignore[misc]
            words = ["can't write", str(run), "No space left on device", "needs", " free)"]
            good = ended == 0 or (ended == 6 and all(word in told for word in words))
            good = good and "Traceback" not in told and not list(run.rglob(".gan-*"))
            good = good and all(container.read(p) for p in run.glob("checkpoints/step-*"))
            filler.unlink()
            again = done(lambda run=run: train(run, *FULL), said)  # type: ignore[misc]
            good = good and again == 0 and alike(straight, run) == []
            with outcomes.open("a") as file:
                file.write(json.dumps([good, ended, told]) + "\n")

    on_its_own_disks(scenario, tmp_path / "scenario")
    lines = [json.loads(line) for line in outcomes.read_text().splitlines()]
    assert [line for line in lines if not line[0]] == []
    assert sum(ended == 6 for _, ended, _ in lines) > tried / 2
    tally(tried, len(lines), "can't write FILE: No space left on device (needs …, … free); exit 6")


def _train_at_once(run: Path) -> None:
    disk.RETRY_AFTER = 0.0
    train(run, *FULL)


@pytest.mark.fault("C8", "files may only be so large", "RLIMIT_FSIZE, below a checkpoint's size")
def test_a_limit_on_the_size_of_files_is_told_and_the_run_goes_on_without_it(
    straight: Path, tmp_path: Path, tally: Tally
) -> None:
    run, said = tmp_path / "run", tmp_path / "said"

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (24_000, 24_000))
        train(run, *FULL)

    ended, told = done(limited, said), said.read_text()
    assert "can't write" in told
    assert "File too large (needs" in told
    assert not list(run.rglob(".gan-*"))
    assert done(lambda: train(run, *FULL), said) == 0
    good = ended == 6 and alike(straight, run) == []
    tally(1, int(good), "can't write FILE: File too large; exit 6")
