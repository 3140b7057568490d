"""Several processes from the command line: what they make, and what they say when they can't."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli import container, dist, follow, launcher, state, train
from gan_cli.cli import main
from gan_cli.dataset.order import Part
from gan_cli.errors import NumericalFailure, UserMistake
from gan_cli.launcher import first_node, slurm, torchrun
from gan_cli.record import flat
from tests.conftest import ROOT
from tests.ranks import Command, Said, commanded

TINY = "model=mlp model.width=8 model.depth=1 hardware.threads=1 tensorboard=false steps=4".split()
LOOKS = "checkpoint_every=2 sample_every=4 log_every=1 diagnose.every=2 metric=frechet".split()
MEASURED = "extractor=raw evaluate_every=2 evaluate_n=64 dataset.split=train".split()


def torchrun_2(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "gan_cli"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, "train", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run of two ranks, and what they said."""
    folder = tmp_path_factory.mktemp("two")
    done = torchrun_2(*TINY, *LOOKS, *MEASURED, "run_dir=run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stdout


@pytest.mark.training
def test_one_of_two_ranks_writes(two):
    run, said = two
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["images"] == 4 * 64  # those of both
    assert said.count("on 2 ranks, 32 samples of each batch on each") == 1
    assert said.count("4 steps; Ctrl-C") == 1
    assert json.loads((run / "status.json").read_text())["state"] == "done"
    assert len((run / "evaluations.jsonl").read_text().splitlines()) == 2


@pytest.mark.training
def test_two_ranks_make_the_run_of_one(two, tmp_path, monkeypatch):
    """The metrics are those of one rank, to rounding."""
    run, _ = two
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY, *LOOKS, *MEASURED, "run_dir=alone"]) == 0
    for ours, theirs in zip(_rows(tmp_path / "alone"), _rows(run), strict=True):
        assert ours.keys() == theirs.keys()
        assert all(theirs[key] == pytest.approx(ours[key], abs=1e-5) for key in ours)
    one, other = (container.read(at / "generator.safetensors") for at in (tmp_path / "alone", run))
    for name, weight in one.tensors.items():
        torch.testing.assert_close(other.tensors[name], weight, rtol=1e-4, atol=1e-6)


def _rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def _runs_away(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Rank 0 finds when it saves that a weight is not finite."""
    if rank == 0:
        patch.setattr(state, "save", _fails(NumericalFailure("not saved: G/w is NaN")))


def _has_a_bug(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Rank 1 meets a bug in its first step."""
    if rank == 1:
        patch.setattr(train, "_pace", _fails(ValueError("a bug")))


def _fails(error: Exception) -> Any:
    def failing(*_: object) -> None:
        raise error

    return failing


LOST = ("optimizer.lr=0.5", "batch_size=8", "diagnose.every=2", "diagnose.n=16", "log_every=2")
STOPS = (*LOST, "steps=24", "policy=stop", "run_dir=stops")
BACK = (*LOST, "steps=24", "policy=rewind", "policy.patience=1", "policy.lr=0.1", "run_dir=back")
ON_TWO = {
    "shared": Command(("batch_size=65",)),
    "stops": Command(STOPS),
    "stopped": Command(STOPS),
    "back": Command((*BACK, "policy.times=1", "checkpoint_every=2")),
    "runs away": Command(("run_dir=a",), _runs_away),
    "bug": Command(("run_dir=c",), _has_a_bug),
    "rank": Command(("batch_size=8", "hardware.batch=rank", "run_dir=rank", "steps=2")),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, tuple[Said, Said]], Path]:
    """What two ranks say of each of these commands, none of which may hang."""
    folder = tmp_path_factory.mktemp("commands")
    commands = [Command((*TINY, *one.words), one.spoil) for one in ON_TWO.values()]
    return dict(zip(ON_TWO, commanded(commands, folder), strict=True)), folder


@pytest.mark.training
@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("shared", 2, "error: batch_size=65 can't be shared out among 2 ranks: 64 or 66"),
        ("stops", 7, "error: stopped and saved at step"),
        ("stopped", 7, "error: stops was stopped at step"),
        ("back", 7, "error: stopped and saved at step"),
        ("runs away", 5, "error: not saved: G/w is NaN"),
        ("bug", 1, "error: ValueError: rank 1: a bug"),
    ],
)
def test_what_goes_wrong_is_told_once_and_nobody_waits(told, name, code, line):
    both = told[0][name]
    errors = [one for said in both for one in said.stderr.splitlines() if one.startswith("error")]
    assert [error[: len(line)] for error in errors] == [line]
    assert code in {said.code for said in both}
    assert not any(said.threads for said in both)


@pytest.mark.training
def test_a_mistake_leaves_no_directory(told):
    assert not (told[1] / "outputs").exists() or not list((told[1] / "outputs").iterdir())


@pytest.mark.training
def test_two_ranks_go_back_together(told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY, *ON_TWO["back"].words]) == 7
    alone, both = (json.loads((d / "back/rewinds.json").read_text()) for d in (tmp_path, told[1]))
    assert alone == both
    assert len(both["returns"]) == 1


@pytest.mark.training
def test_a_batch_of_each_rank_is_a_larger_one(told):
    assert "8 samples of each batch on each" in told[0]["rank"][0].stdout
    assert _rows(told[1] / "rank")[-1]["images"] == 2 * 16


def test_a_part_is_a_size():
    part = Part.of(64, 1, 2)
    assert (part, part.rank, part.ranks) == (64, 1, 2)


ENVIRONMENT = {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1", "MASTER_PORT": "29500"}


def _set(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name in ("MASTER_ADDR", "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_torchrun_says_who_is_who(monkeypatch):
    _set(monkeypatch, ENVIRONMENT | {"MASTER_ADDR": "first"})
    place = torchrun()
    assert place is not None
    assert (place.rank, place.size, place.local, place.host) == (3, 4, 1, "first")
    _set(monkeypatch, {"RANK": "4"})
    with pytest.raises(UserMistake, match="rank 4 is none of 4"):
        torchrun()
    _set(monkeypatch, {"RANK": ""})
    with pytest.raises(UserMistake, match="started by torchrun or srun"):
        torchrun()


def test_srun_says_who_is_who(monkeypatch):
    with pytest.raises(UserMistake, match="no SLURM_PROCID here"):
        slurm()
    told = {"SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_NTASKS": "8", "SLURM_JOB_ID": "123"}
    _set(monkeypatch, told | {"SLURM_JOB_NODELIST": "node[003-010,12],other"})
    place = slurm()
    assert place is not None
    assert (place.rank, place.size, place.local) == (5, 8, 1)
    assert (place.host, place.port) == ("node003", 20123)
    _set(monkeypatch, {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"})
    assert slurm() is None


@pytest.mark.parametrize(
    ("nodes", "first"), [("a", "a"), ("a,b", "a"), ("n[07-09]", "n07"), ("gpu-[1,3],x", "gpu-1")]
)
def test_the_first_node(nodes, first):
    assert first_node(nodes) == first


def test_only_training_is_for_several(monkeypatch, capsys):
    _set(monkeypatch, {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_PORT": "1"})
    assert launcher.several()
    assert main(["sample", "--ckpt", "x"]) == 2
    assert "gan sample is for one process" in capsys.readouterr().err
    assert main(["train", "-m", "seed=0,1"]) == 2
    assert "every rank would run every job" in capsys.readouterr().err


def test_ranks_of_different_commands_are_refused_before_they_train(monkeypatch):
    mine = {"optimizer": {"lr": 0.1}, "run_dir": "here", "hardware": {"device": "cuda:0"}}
    elsewhere = mine | {"run_dir": "there", "hardware": {"device": "cuda:1"}}
    other = mine | {"optimizer": {"lr": 0.2}}
    for theirs in (elsewhere, other):
        told = {k: v for k, v in flat(theirs).items() if k.startswith("optimizer")}
        monkeypatch.setattr(dist, "gathered", lambda asked, told=told: [asked, told])
        if theirs is other:
            with pytest.raises(UserMistake, match="rank 1 .*optimizer.lr: 0.1 → 0.2"):
                follow.check_one_command(mine)
        else:
            follow.check_one_command(mine)
