"""Directories that can't be written, that go, or that are shared."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gan_cli import sample
from gan_cli import train as training
from gan_cli.cli import main
from gan_cli.dataset.digits import Digits
from tests.faults.dying import done
from tests.faults.lives import FULL, PLAIN, train
from tests.faults.mounts import as_nobody, on_its_own_disks, read_only, tmpfs

pytestmark = pytest.mark.timeout(1800)  # of a whole campaign, on a busy machine
Tally = Callable[[int, int, str], None]
TINY = (*PLAIN, "steps=4")
assert sample  # imported before anybody is held back


# ── directories that can't be written, and that go ────────────────────────────────────────────────


def _tells_if_it_loads_data() -> None:
    load = Digits.load

    def told(self: Digits) -> Any:
        sys.stdout.write("the data are loaded\n")
        return load(self)

    Digits.load = told  # type: ignore[method-assign]


def _refused(run: Path) -> None:
    began = time.process_time()
    _tells_if_it_loads_data()
    try:
        train(run, *TINY)
    finally:
        assert time.process_time() - began < 3


@pytest.mark.fault("C9", "the directory can't be written", "a read-only disk, for old and new runs")
def test_a_read_only_disk_is_told_before_the_data_are_loaded(
    straight: Path, tmp_path: Path, tally: Tally
) -> None:
    where, outcomes = tmp_path / "disk", tmp_path / "outcomes"

    def scenario() -> None:
        tmpfs(where, 8 << 20)
        train(where / "old", *TINY)
        before = {path: path.stat().st_mtime_ns for path in where.rglob("*")}
        read_only(where)
        ends = []
        for name in ("old", "new"):
            ends.append(done(lambda name=name: _refused(where / name), tmp_path / "said"))  # type: ignore[misc]
            outcomes.write_text((tmp_path / "said").read_text())
            assert "Read-only file system; choose another place" in outcomes.read_text()
            assert "are loaded" not in outcomes.read_text()
        assert ends == [6, 6], outcomes.read_text()
        assert before == {path: path.stat().st_mtime_ns for path in where.rglob("*")}

    on_its_own_disks(scenario, tmp_path / "scenario")
    tally(2, 2, "RUN can't be written: Read-only file system; choose another place; exit 6")


@pytest.mark.fault("C9", "the directory can't be written", "mode 0555, as another user")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_directory_of_somebody_else_is_told_before_the_data_are_loaded(
    straight: Path, tmp_path: Path, tally: Tally
) -> None:
    survived = 0
    for place in (tmp_path, *tmp_path.parents):
        if place.stat().st_mode & 0o5 != 0o5:
            place.chmod(place.stat().st_mode | 0o55)  # pytest's own directories, of this test
        if place.name.startswith("pytest-of"):
            break
    (tmp_path / "full").mkdir(mode=0o555)
    train(tmp_path / "old", *TINY)
    for directory in (tmp_path / "old", tmp_path / "old" / "checkpoints"):
        directory.chmod(0o555)
    for run in (tmp_path / "full" / "new", tmp_path / "old"):
        ended = done(as_nobody(lambda run=run: _refused(run)), tmp_path / "said")  # type: ignore[misc]
        told = (tmp_path / "said").read_text()
        survived += ended == 6 and "Permission denied" in told and "are loaded" not in told
    tally(2, survived, "RUN can't be written: Permission denied; choose another place; exit 6")


@pytest.mark.fault("C10", "the run's directory is deleted", "rm -rf while it trains")
def test_a_directory_that_goes_while_it_is_trained_in_is_told(tmp_path: Path, tally: Tally) -> None:
    run = tmp_path / "run"

    def goes() -> None:
        pace = training._pace

        def paced(session: Any, step: int) -> dict[str, float]:
            if step == 3:
                shutil.rmtree(run)
            return pace(session, step)

        training._pace = paced
        train(run, *FULL)

    ended, told = done(goes, tmp_path / "said"), (tmp_path / "said").read_text()
    assert "No such file or directory" in told
    good = ended == 6 and "Traceback" not in told
    tally(1, int(good), "can't write FILE: No such file …; exit 6")


# ── modes ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
@pytest.mark.fault("C15", "a group shares the runs", "umask 077, 022 and 002")
def test_every_file_of_a_run_has_the_mode_that_was_asked_for(
    straight: Path, tmp_path: Path, umask: Callable[[int], int], mask: int, tally: Tally
) -> None:
    umask(mask)
    train(tmp_path / "run", *TINY, "tensorboard=true", "metric=frechet", "extractor=raw")
    paths = [tmp_path / "run", *(tmp_path / "run").rglob("*")]
    wanted = [(0o777 if path.is_dir() else 0o666) & ~mask for path in paths]
    modes = [path.stat().st_mode & 0o777 for path in paths]
    tally(len(paths), sum(a == b for a, b in zip(modes, wanted, strict=True)), "files of that mode")


@pytest.mark.fault("C15", "a run that may only be read", "mode 0444 and 0555, as another user")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_run_that_may_only_be_read_is_sampled_from(
    straight: Path, tmp_path: Path, tally: Tally
) -> None:
    run, out, survived = tmp_path / "run", tmp_path / "out", 0
    shutil.copytree(straight, run)
    out.mkdir()
    out.chmod(0o777)
    for place in (tmp_path, *tmp_path.parents):
        place.chmod(place.stat().st_mode | 0o55)
        if place.name.startswith("pytest-of"):
            break
    for path in (run, *run.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    asked = [run, run / "generator.safetensors", run / "checkpoints" / "step-00000008.safetensors"]
    for ckpt in asked:  # so that nothing is imported by somebody who may not read it
        assert main(["sample", "--ckpt", str(ckpt), "--out", str(tmp_path / "first.png")]) == 0
        (tmp_path / "first.png").unlink()
    for number, ckpt in enumerate(asked):
        argv = ["sample", "--ckpt", str(ckpt), "--out", str(out / f"{number}.png")]
        done(as_nobody(lambda argv=argv: main(argv)), tmp_path / "said")  # type: ignore[misc]
        assert (out / f"{number}.png").is_file(), (tmp_path / "said").read_text()
        survived += 1
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    tally(len(asked), survived, "samples")
