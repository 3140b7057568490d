"""What a power failure leaves of the files of a run, and bits that rot in them."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_cli import container
from gan_cli.status import Status
from gan_cli.study.job import Job
from gan_cli.study.ledger import Ledger
from tests.faults.dying import done
from tests.faults.lives import EVENTFUL, LOST, WATCHED, alike, train

pytestmark = pytest.mark.timeout(1800)  # of a whole campaign, on a busy machine
Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]


# ── torn files of a run ───────────────────────────────────────────────────────────────────────────

WHOLE = {"config.yaml", "status.json", "clock.jsonl", "latest.json", "generator.safetensors"}
"""Files that are made again whatever becomes of them."""

ROWS = {"metrics.jsonl", "diagnosis.jsonl", "evaluations.jsonl"}


def torn(data: bytes, kind: int, chance: random.Random) -> bytes | None:
    """What a power failure leaves of a file: less, nothing, zeros behind, a page of them, no file.

    A bit may rot, too.
    """
    cut = chance.randrange(len(data))
    page = (cut - cut % 512) // 2  # with something behind it
    damaged = bytearray(data)
    damaged[cut] ^= 1 << chance.randrange(8)
    kinds = [
        data[:cut],
        b"",
        data[:cut] + bytes(len(data) - cut),
        data[:page] + bytes(min(512, len(data) - page)) + data[page + 512 :],
        data + bytes(4096),
        bytes(damaged),
        None,
    ]
    return kinds[kind % len(kinds)]


def spoil(path: Path, kind: int, chance: random.Random) -> None:
    left = torn(path.read_bytes(), kind, chance)
    path.unlink()
    if left is not None:
        path.write_bytes(left)


def others(wrong: list[str], *allowed: str) -> list[str]:
    return [name for name in wrong if not name.startswith(allowed)]


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.fault(
    "C4", "a torn file beside the checkpoints", "what a power failure leaves of it, and rotten bits"
)
def test_a_torn_file_that_can_be_made_again_costs_nothing(
    name: str, lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, survived = tmp_path / "run", tmp_path / "said", random.Random(7), 0
    tried = times(1, 14)
    for number in range(tried):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(lives / "cut", run)
        path = next(run.rglob(name))
        spoil(path, number if tried > 1 else sorted(WHOLE).index(name), chance)
        code = done(lambda: train(run, *WATCHED), said)
        wrong = others(alike(lives / "watched", run), "clock") if code == 0 else [said.read_text()]
        assert wrong == [], (number, name)
        survived += 1
    tally(tried, survived, "nothing: it is written anew")


@pytest.mark.parametrize("name", sorted(ROWS))
@pytest.mark.fault("C4", "torn rows", "what a power failure leaves of a file of rows, rotten bits")
def test_torn_rows_cost_those_rows_alone(
    name: str, lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, survived = tmp_path / "run", tmp_path / "said", random.Random(8), 0
    tried = times(1, 28)
    straight = (lives / "watched" / name).read_bytes().splitlines()
    for number in range(tried):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(lives / "cut", run)
        spoil(run / name, number if tried > 1 else 3, chance)
        whole = set((run / name).read_bytes().splitlines()) if (run / name).exists() else set()
        code = done(lambda: train(run, *WATCHED), said)
        assert code == 0, said.read_text()
        rows = (run / name).read_bytes().splitlines()
        late = [line for line in straight if json.loads(line)["step"] > 8]
        readable = [line for line in straight if line in whole and line not in late]
        steps = [json.loads(line)["step"] for line in rows]
        told = f"{12 - len(rows)} of the rows up to step 8 are lost" in said.read_text()
        silent = name != "metrics.jsonl" or len(rows) == 12
        lights = ["metrics"] if name == "diagnosis.jsonl" else []  # which are told in every row
        same = others(
            alike(lives / "watched", run), "clock", name, "diagnosis", "best", "status", *lights
        )
        kept = set(readable) <= set(rows) and (name == "diagnosis.jsonl" or set(late) <= set(rows))
        survived += kept and steps == sorted(set(steps)) and (told or silent) and not same
        assert survived == number + 1, (number, name, same, said.read_text())
    tally(tried, survived, "rows of steps after the checkpoint come again; lost ones are counted")


@pytest.mark.fault("C4", "a torn run.json", "what a power failure leaves of it; the same command")
def test_a_torn_record_costs_no_run(
    lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, survived = tmp_path / "run", tmp_path / "said", random.Random(9), 0
    tried = times(3, 42)
    for number in range(tried):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(lives / "cut", run)
        before = (run / "run.json").read_bytes()
        kind = number % 7 if number % 7 != 5 else 0  # a rotten bit may be another number
        spoil(run / "run.json", kind if tried > 3 else (0, 2, 6)[number], chance)
        same = (run / "run.json").exists() and (run / "run.json").read_bytes() == before
        code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
        assert code == 0, told
        clear = same or "it is made anew, by what the checkpoint says" in " ".join(told.split())
        assert alike(lives / "watched", run) == []
        survived += clear
    shutil.rmtree(run)
    shutil.copytree(lives / "cut", run)
    (run / "run.json").unlink()
    code = done(lambda: train(run, *WATCHED, "optimizer.lr=0.5"), said)
    assert code == 2
    assert "optimizer.lr: 0.0002 → 0.5" in said.read_text()
    assert not (run / "run.json").exists()
    tally(tried, survived, "run.json: damaged …: it is made anew, by what the checkpoint says")


@pytest.mark.fault("C4", "a torn rewinds.json", "what a power failure leaves of it")
def test_what_was_gone_back_to_is_in_the_checkpoints_too(
    lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, survived = tmp_path / "run", tmp_path / "said", random.Random(10), 0
    tried = times(1, 12)
    for _ in range(tried):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(lives / "back", run)
        path = run / "rewinds.json"
        path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size - 2)])
        code = done(lambda: train(run, *EVENTFUL), said)
        assert code == LOST, said.read_text()
        survived += alike(lives / "eventful", run) == []
    tally(tried, survived, "nothing: the newest checkpoint says it too")


@pytest.mark.fault("C4", "a torn best.safetensors", "a bit of it rots; then the same command")
def test_a_torn_best_is_told(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    spoil(run / "best.safetensors", 5, random.Random(11))
    code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
    wrong = others(alike(lives / "watched", run), "best", "status")
    told = " ".join(told.split())
    good = code == 0 and wrong == [] and "what is best counts anew" in told
    tally(1, int(good), "best … counts anew")


@pytest.mark.fault("C4", "the row of the best is lost", "its line is cut out; the same command")
def test_the_best_counts_even_if_its_row_is_lost(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    found = container.read(run / "best.safetensors")
    assert found.meta["step"] == 8
    told = {"step": 4, "best": {"figure": "frechet", "value": 40.0}}  # better than all there are
    sha256 = container.write(run / "best.safetensors", found.tensors, found.meta | told)
    lines = (run / "evaluations.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["step"] != 4]
    (run / "evaluations.jsonl").write_text("".join(kept))
    assert done(lambda: train(run, *WATCHED), said) == 0
    same = container.read(run / "best.safetensors").sha256 == sha256
    tally(1, int(same), "nothing: what is best is never replaced by something worse")


# ── sweeps ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("C4", "a torn ledger.json", "what a power failure leaves of it; the same sweep")
def test_a_torn_ledger_is_made_again_from_the_runs(
    tmp_path: Path, times: Times, tally: Tally
) -> None:
    jobs = []
    for number, ended in enumerate(("done", "interrupted", "pending")):
        run = tmp_path / f"seed-{number}"
        jobs.append(Job(f"seed={number}", [f"seed={number}"], str(run)))
        if ended != "pending":
            run.mkdir()
            (run / "run.json").write_text("{}")
            Status(ended, 4, 4).write(run)
    directory, chance = tmp_path / "sweeps" / "a", random.Random(13)
    whole = Ledger.open(directory, "gan train -m", jobs)
    tried, survived = times(7, 70), 0
    data = (directory / "ledger.json").read_bytes()
    for number in range(tried):
        (directory / "ledger.json").write_bytes(data)
        if number % 7 != 5:  # a rotten bit may be another word
            spoil(directory / "ledger.json", number, chance)
        survived += Ledger.open(directory, "gan train -m", jobs).jobs == whole.jobs
    tally(tried, survived, "nothing: what has become of the jobs is read from their runs")
