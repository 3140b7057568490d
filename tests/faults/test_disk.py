"""Disks that are full, failing, read-only or gone, and files that are torn or rotten."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli import container, disk, sample
from gan_cli import train as training
from gan_cli.cli import main
from gan_cli.container import Checkpoint
from gan_cli.dataset.digits import Digits
from gan_cli.errors import BadFile, DiskFailure
from tests.faults.dying import done
from tests.faults.lives import PLAIN, alike, train
from tests.faults.mounts import as_nobody, on_its_own_disks, read_only, tmpfs
from tests.games import composed

pytestmark = pytest.mark.timeout(1800)  # of a whole campaign, on a busy machine
Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]
TINY = (*PLAIN, "steps=4")
FULL = (*PLAIN, "tensorboard=true", "metric=frechet", "extractor=raw", "evaluate_every=4",
        "evaluate_n=40", "diagnose.every=2", "diagnose.n=16", "policy=warn")  # fmt: skip
TENSORS = {"G/w": torch.arange(6.0).reshape(2, 3), "count": torch.tensor([1, 2])}
assert sample  # imported before anybody is held back


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    directory = tmp_path_factory.mktemp("disk") / "straight"
    composed(*PLAIN)
    train(directory, *FULL)
    return directory


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second try comes without the wait before it."""
    monkeypatch.setattr(disk, "RETRY_AFTER", 0.0)


# ── torn and rotten files ───────────────────────────────────────────────────────────────────────


def _same(found: Checkpoint, wanted: Checkpoint) -> bool:
    return found.meta == wanted.meta and all(
        torch.equal(tensor, wanted.tensors[name]) for name, tensor in found.tensors.items()
    )


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _flip_in_header(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(8 + int.from_bytes(data[:8], "little"))] ^= 1 << chance.randrange(8)


def _blank(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(0, len(data), 4096)
    data[start : start + 4096] = bytes(len(data[start : start + 4096]))


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _swap(data: bytearray, chance: random.Random) -> None:
    a, b = chance.randrange(len(data)), chance.randrange(len(data))
    data[a], data[b] = data[b], data[a]


def _insert(data: bytearray, chance: random.Random) -> None:
    data.insert(chance.randrange(len(data) + 1), chance.randrange(256))


Damage = Callable[[bytearray, random.Random], None]
ROT = "C5", "bits that rot", "one bit of a checkpoint is flipped"
DAMAGES = [
    pytest.param(_flip, 200, 10_000, marks=pytest.mark.fault(*ROT)),
    pytest.param(
        _flip_in_header, 100, 2000, marks=pytest.mark.fault(*ROT[:2], "one bit of its header")
    ),
    pytest.param(
        _blank,
        60,
        500,
        marks=pytest.mark.fault("C4", "a torn file", "4 KiB of a checkpoint are zeros"),
    ),
    pytest.param(
        _cut,
        60,
        1000,
        marks=pytest.mark.fault("C4", "a torn file", "a checkpoint ends anywhere"),
    ),
    pytest.param(
        _swap,
        60,
        1000,
        marks=pytest.mark.fault("C5", "bytes in the wrong place", "two bytes change places"),
    ),
    pytest.param(
        _insert,
        60,
        1000,
        marks=pytest.mark.fault("C5", "bytes in the wrong place", "a byte too many"),
    ),
]
REFUSED = "FILE: damaged: its contents do not have the SHA-256 it was written with"


@pytest.mark.parametrize(("damage", "few", "many"), DAMAGES)
def test_no_damage_passes_unnoticed(
    straight: Path,
    tmp_path: Path,
    damage: Damage,
    few: int,
    many: int,
    times: Times,
    tally: Tally,
) -> None:
    path, chance = tmp_path / "a.safetensors", random.Random(1)
    whole = next((straight / "checkpoints").glob("step-*8.safetensors"))
    data, wanted = whole.read_bytes(), container.read(whole)
    tried, refused, survived = times(few, many), 0, 0
    for _ in range(tried):
        damaged = bytearray(data)
        damage(damaged, chance)
        path.write_bytes(damaged)
        try:
            survived += _same(container.read(path), wanted)
        except BadFile as error:
            survived += "\n" not in str(error) and str(error).startswith(str(path))
            refused += 1
    assert refused > 0.8 * tried
    tally(tried, survived, REFUSED)


@pytest.mark.fault("C4", "a torn file", "a checkpoint ends in its length, header and each tensor")
def test_a_checkpoint_that_ends_too_soon_is_refused_wherever_it_ends(
    straight: Path, tmp_path: Path, tally: Tally
) -> None:
    whole = next((straight / "checkpoints").glob("step-*8.safetensors"))
    data = whole.read_bytes()
    header = int.from_bytes(data[:8], "little")
    ends = {0, 1, 7, 8, 9, 8 + header // 2, 7 + header, 8 + header, len(data) - 1}
    begin = 8 + header
    spans = [tensor.nbytes for tensor in container.read(whole).tensors.values()]
    for size in sorted(spans):  # any order meets every tensor's begin, middle and end
        ends |= {begin, begin + size // 2, max(begin, begin + size - 1)}
        begin += size
    ends -= {len(data)}
    path, survived = tmp_path / "a.safetensors", 0
    for end in ends:
        path.write_bytes(data[:end])
        with pytest.raises(BadFile) as caught:
            container.read(path)
        survived += "\n" not in str(caught.value)
    tally(len(ends), survived, REFUSED)


@pytest.mark.fault(
    "R4",
    "the newest checkpoint is damaged",
    "a bit, a page or the end of it; then the same command",
)
def test_the_checkpoint_before_a_damaged_one_is_gone_on_from_and_said(
    straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    chance, tried, survived = random.Random(2), times(2, 40), 0
    kinds: list[Damage] = [_flip, _cut, _blank, _flip_in_header]
    for number in range(tried):
        run = tmp_path / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(straight, run)
        newest = run / "checkpoints" / "step-00000008.safetensors"
        data = bytearray(newest.read_bytes())
        kinds[number % len(kinds)](data, chance)
        newest.write_bytes(data)
        code = done(lambda run=run: train(run, *FULL), tmp_path / "said")  # type: ignore[misc]
        said = " ".join((tmp_path / "said").read_text().split())
        told = f"passed over a checkpoint: {newest}" in said and f"resuming {run} at step 6" in said
        survived += code == 0 and told and alike(straight, run) == []
    tally(tried, survived, "passed over a checkpoint: FILE: damaged …; resuming RUN at step 6 of 8")


# ── failing calls ───────────────────────────────────────────────────────────────────────────────

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


# ── full disks ──────────────────────────────────────────────────────────────────────────────────


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


# ── directories that can't be written, and that go ──────────────────────────────────────────────


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


# ── modes ───────────────────────────────────────────────────────────────────────────────────────


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
