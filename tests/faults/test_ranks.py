"""Several ranks: one dies, one can't write, samples that don't share out, another number of ranks.

Ranks are processes of their own. Where the suite has no time for torchrun they are told who they
are by the same variables that torchrun sets.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli import container, state
from gan_cli.dataset.source import Resident, opened
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import DiskFailure
from gan_cli.launcher import Place
from gan_cli.ranks import meeting
from gan_cli.status import Status
from tests.conftest import ROOT
from tests.faults.nursery import Child, Nursery, Plant
from tests.ranks import free_port

Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]

GONE = "error: another rank is gone, and nobody can go on: the same command goes on from the last"
GAME = (
    *("dataset=digits", "model=mlp", "model.width=8", "batch_size=8", "steps=20", "log_every=5"),
    *("sample_every=20", "checkpoint_every=5", "diagnose.every=null", "tensorboard=false"),
    *("hardware.threads=1", "hardware.device=cpu", "run_dir=r"),
)
TORCHRUN = "torchrun takes 10 seconds: in the whole campaign, GAN_FAULTS=full"
pytestmark = pytest.mark.timeout(900)  # the campaign's
PATIENT = 30.0
"""Seconds within which a command has ended, whatever has become of a rank."""


def started(
    nursery: Nursery, place: Path, *more: str, plants: dict[int, Plant] | None = None
) -> list[Child]:
    """The command on two ranks in that directory; each can have a moment that waits."""
    port, found = free_port(), []
    for rank in range(2):
        told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
        env = {name: str(value) for name, value in told.items()}
        planted = [plants[rank]] if plants and rank in plants else []
        words = ["train", *GAME, *more]
        found.append(nursery.start(words, place, planted, env=env))
    return found


def ended(ranks: list[Child]) -> list[int]:
    """Their exit codes, all of them within PATIENT seconds."""
    until = time.monotonic() + PATIENT
    return [child.wait(max(0.1, until - time.monotonic())) for child in ranks]


def errors(ranks: list[Child]) -> list[str]:
    return [line for child in ranks for line in child.err.splitlines() if "error" in line]


def final(run: Path) -> container.Checkpoint:
    found = state.newest(run / "checkpoints")
    assert found is not None
    assert not found.rejected
    return found.checkpoint


def same(run: Path, other: Path) -> None:
    """Assert that two runs came to the same, bit for bit."""
    one, two = final(run), final(other)
    assert one.meta["step"] == two.meta["step"]
    assert one.tensors.keys() == two.tensors.keys()
    assert all(one.tensors[key].equal(two.tensors[key]) for key in two.tensors)
    assert (run / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def straight(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two ranks that nothing happened to."""
    place = tmp_path_factory.mktemp("straight")
    ranks = started(nursery, place)
    assert ended(ranks) == [0, 0], errors(ranks)
    return place / "r"


# ── P1: a rank is gone ──────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("P1", "one of two ranks is killed", "kill -9 of a rank in a step or a save")
def test_a_rank_that_is_killed_costs_what_was_not_saved(
    nursery: Nursery, straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    chosen, tried = random.Random(0), times(1, 10)
    for number in range(tried):
        place, victim, step = tmp_path / str(number), 1 - number % 2, chosen.randint(7, 19)
        plant = Plant("gan_cli.train:_pace", step if number else 13, 0.3)
        if number and victim == 0 and number % 4 == 1:
            plant = Plant("gan_cli.state:save", 2, 0.3)
        ranks = started(nursery, place, plants={victim: plant})
        ranks[victim].met()
        ranks[victim].kill(signal.SIGKILL)
        codes = ended(ranks)
        assert codes[victim] == -signal.SIGKILL
        assert codes[1 - victim] == 1
        (line,) = errors(ranks)
        assert line.startswith(GONE), line
        assert final(place / "r").meta["step"] == max(5, (plant.n - 1) // 5 * 5)
        if victim:
            assert Status.read(place / "r").state == "interrupted"
        again = started(nursery, place)
        assert ended(again) == [0, 0], errors(again)
        assert "resuming r at step" in again[0].out
        same(place / "r", straight)
    tally(tried, tried, "a line: another rank is gone; the same command goes on, to the same bits")


@pytest.mark.fault("P1", "one of two ranks is killed, under torchrun", "kill -9 at any moment")
def test_torchrun_ends_when_a_rank_is_killed(tmp_path: Path, times: Times, tally: Tally) -> None:
    if not (tried := times(0, 3)):
        pytest.skip(TORCHRUN)
    chosen = random.Random(1)
    for number in range(tried):
        place = tmp_path / str(number)
        since = killed(place, chosen, 0)
        assert time.monotonic() - since < PATIENT
        assert (place / "err").read_text().count(GONE) == 1
        assert final(place / "r").meta["step"] >= 5
    tally(tried, tried, "one line of gan's beside torchrun's own, within seconds; what was saved")


# ── P2: rank 0 can't write ──────────────────────────────────────────────────────────────────────


@pytest.mark.fault("P2", "rank 0 can't write a checkpoint", "its files may not be so large")
def test_what_rank_0_cant_save_ends_both_for_the_same_reason(
    nursery: Nursery, straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    first = started(nursery, tmp_path, plants={0: Plant("gan_cli.train:_pace", 8)})
    first[0].met()
    limit = (tmp_path / "r" / "checkpoints" / "step-00000005.safetensors").stat().st_size - 1
    resource.prlimit(first[0].pid, resource.RLIMIT_FSIZE, (limit, limit))
    assert ended(first) == [DiskFailure.exit_code] * 2
    (line,) = errors(first)
    assert line.startswith("error: can't write r/checkpoints/step-00000010.safetensors: File too")
    assert final(tmp_path / "r").meta["step"] == 5
    assert not list((tmp_path / "r").rglob(".gan-*"))
    if times(0, 1):  # as after P1
        again = started(nursery, tmp_path)
        assert ended(again) == [0, 0], errors(again)
        same(tmp_path / "r", straight)
    tally(1, 1, "one line with the file and the reason; both ranks exit with 6")


@pytest.mark.fault("P2", "the disk of rank 0 is full", "the run is on a tmpfs that fills up")
def test_a_full_disk_under_torchrun(tmp_path: Path, times: Times, tally: Tally) -> None:
    if not (tried := times(0, 1)):
        pytest.skip(TORCHRUN)
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("a tmpfs of one's own takes a namespace of mounts")
    (tmp_path / "full").mkdir()
    words = " ".join(torchrun("run_dir=full/r", "keep=9"))
    script = (
        "mount -t tmpfs -o size=240k none full || exit 99\n"
        f"{words} 2>err\n"
        "cp -r full/r/checkpoints left"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], cwd=tmp_path, env=environment(), check=False
    )
    assert done.returncode == 0, done
    told = (tmp_path / "err").read_text()
    assert [line.count("No space left") for line in told.splitlines() if "error: " in line] == [1]
    assert "exitcode  : 6" in told
    assert "exitcode  : 1 " not in told
    assert state.newest(tmp_path / "left") is not None
    tally(tried, tried, "one line: no space left, how much is needed; both ranks exit with 6")


# ── P3: samples that don't share out ────────────────────────────────────────────────────────────


ELEVEN = "11 samples in batches of 4 on 2 ranks"


@pytest.mark.fault("P3", ELEVEN, "a folder of 11 pictures is trained on")
def test_nobody_waits_where_samples_dont_share_out(
    nursery: Nursery, tmp_path: Path, tally: Tally
) -> None:
    chosen = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(11):
        pixels = chosen.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    folder = ["dataset=folder", "dataset.path=pictures", "dataset.size=8", "dataset.workers=0"]
    ranks = started(nursery, tmp_path, *folder, f"dataset.cache={tmp_path}", "batch_size=4")
    assert ended(ranks) == [0, 0], errors(ranks)
    assert [row["images"] for row in rows(tmp_path / "r")] == [4 * n for n in range(1, 21)]
    tally(1, 1, "nothing: each rank makes as many steps, of two samples each")


class Numbered:
    """Images that tell their number."""

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((1, 2, 2), index, dtype=torch.uint8)


@pytest.mark.fault("P3", ELEVEN, "what each rank reads in 8 epochs is noted")
@pytest.mark.parametrize("kind", ["resident", "streamed"])
def test_no_sample_comes_twice_within_an_epoch(
    kind: str, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    numbers, names = torch.arange(11), tuple("abcdefghijk")
    images = torch.stack([Numbered()[number] for number in range(11)])
    source = {
        "resident": Resident.of(images, numbers, names),
        "streamed": Streamed(Numbered(), numbers, 11, (1, 2, 2), names, "", workers=0),
    }[kind]
    read = []
    for rank in range(2):
        place = Place(rank, 2, rank, "", 0)
        monkeypatch.setattr(meeting._here, "group", meeting.Group(place, None))
        feed = opened(source, 4, 0, torch.device("cpu"))
        batches = [feed(number) for number in range(22)]
        shown = [((batch.x + 1) * 127.5).round().long()[:, 0, 0, 0] for batch in batches]
        assert all(one.equal(batch.c) for one, batch in zip(shown, batches, strict=True))
        assert {len(one) for one in shown} == {2}
        read.append(torch.stack(shown))
    monkeypatch.undo()
    whole = torch.stack(read, dim=-1).flatten()  # as one process would have read them
    for epoch in whole.split(11):
        assert Counter(epoch.tolist()) == Counter(range(11))
    alone = source.open(4, 0, torch.device("cpu"))
    assert torch.cat([alone(number).c for number in range(22)]).equal(whole)
    tally(8, 8, "nothing: every sample once an epoch, on one of the ranks")


# ── P4: another number of ranks ─────────────────────────────────────────────────────────────────


@pytest.mark.fault("P4", "a run goes on with another number of ranks", "2 ranks, then 1; and back")
def test_a_run_goes_on_with_another_number_of_ranks(
    nursery: Nursery, straight: Path, tmp_path: Path, tally: Tally
) -> None:
    shutil.copytree(straight, tmp_path / "r")
    for path in (tmp_path / "r" / "checkpoints").glob("step-00000020*"):
        path.unlink()  # as a run that was stopped at step 15 has it
    child = nursery.run(["train", *GAME], tmp_path)
    assert child.code == 0, child.err
    assert "resuming r at step 15 of 20" in child.out
    near(tmp_path / "r", straight)

    alone = tmp_path / "alone"
    assert nursery.run(["train", *GAME, "steps=10"], alone).code == 0
    ranks = started(nursery, alone)
    assert ended(ranks) == [0, 0], errors(ranks)
    assert "resuming r at step 10 of 20" in ranks[0].out
    near(alone / "r", straight)
    tally(2, 2, "which settings changed; the same samples, and the same weights to rounding")


def near(run: Path, other: Path) -> None:
    """Assert that two runs learnt from the same samples, and came to the same but for rounding."""
    for one, two in zip(rows(run), rows(other), strict=True):
        assert one.keys() == two.keys()
        assert one["images"] == two["images"]
        for key in one:
            assert math.isclose(one[key], two[key], rel_tol=1e-4, abs_tol=1e-5), key
    mine, theirs = final(run), final(other)
    for key, value in mine.tensors.items():
        if key.startswith(("G/", "D/", "G_ema/")):
            torch.testing.assert_close(value, theirs.tensors[key], rtol=1e-4, atol=1e-6)


# ── P5: torchrun starts them again ──────────────────────────────────────────────────────────────


@pytest.mark.fault(
    "P5", "torchrun starts killed ranks again", "--max-restarts 1, kill -9 of a rank"
)
def test_torchrun_starts_them_again_and_they_go_on(
    tmp_path: Path, times: Times, tally: Tally
) -> None:
    if not (tried := times(0, 5)):
        pytest.skip(TORCHRUN)
    chosen = random.Random(2)
    assert subprocess.run(torchrun(), cwd=tmp_path, env=environment(), check=False).returncode == 0
    for number in range(tried):
        place = tmp_path / str(number)
        killed(place, chosen, 1)
        assert "resuming r at step" in (place / "out").read_text()
        same(place / "r", tmp_path / "r")
        assert final(place / "r").sha256 == final(tmp_path / "r").sha256
    tally(tried, tried, "the run goes on by itself, and ends with the bits of one left alone")


def torchrun(*words: str, restarts: int = 0) -> list[str]:
    """The command on two ranks; 400 steps, for there has to be time to kill one of them."""
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node=2", f"--max-restarts={restarts}"]
    steps = ["steps=400", "log_every=100", *words]
    return [sys.executable, *launcher, "-m", "gan_cli", "train", *GAME, *steps]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def killed(place: Path, chosen: random.Random, restarts: int) -> float:
    """Kill a rank under torchrun once there is a checkpoint; when. Waits for the end of it all."""
    place.mkdir()
    with (place / "out").open("w") as out, (place / "err").open("w") as err:
        process = subprocess.Popen(
            torchrun(restarts=restarts), cwd=place, env=environment(), stdout=out, stderr=err
        )
        while not list((place / "r" / "checkpoints").glob("step-*")):
            assert process.poll() is None, (place / "err").read_text()
            time.sleep(0.02)
        time.sleep(chosen.random())
        rank = chosen.choice([b"RANK=0", b"RANK=1"])
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (victim,) = [
            int(child)
            for child in children
            if rank in Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        ]
        os.kill(victim, signal.SIGKILL)
        since = time.monotonic()
        assert process.wait(90) == (0 if restarts else 1), (place / "err").read_text()
    return since
