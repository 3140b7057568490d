"""Metrics while training: they change nothing, keep the best, and can end a run."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli import container, state, train
from gan_cli.best import Best, chosen, directions
from gan_cli.build import parts
from gan_cli.errors import Stopped, UserMistake
from gan_cli.run import Run
from gan_cli.sampler import Sampler
from gan_cli.session import make
from gan_cli.train import launch
from tests.games import composed

SMALL = (
    "model=mlp",
    "model.width=8",
    "steps=40",
    "batch_size=8",
    "sample_every=40",
    "checkpoint_every=20",
    "tensorboard=false",
    "hardware.threads=1",
)
MEASURED = ("metric=frechet", "extractor=raw", "evaluate_every=10", "evaluate_n=40")


def run(directory: Path, *overrides: str, monkeypatch: Any = None, stop_at: int = 0) -> Path:
    """Train in that directory; with `stop_at`, a SIGTERM arrives during that step."""
    typed = [*SMALL, *overrides, f"run_dir={directory}"]
    if stop_at:
        pace = train._pace

        def paced(session: Any, step: int) -> Any:
            if step + 1 == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return pace(session, step)

        monkeypatch.setattr(train, "_pace", paced)
    try:
        launch(composed(*typed), {"dataset": "digits"}, typed, ["gan", "train", *typed])
    finally:
        if stop_at:
            monkeypatch.undo()
    return directory


def evaluations(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "evaluations.jsonl").read_text().splitlines()]


def tensors(directory: Path) -> dict[str, torch.Tensor]:
    found = state.newest(directory / "checkpoints")
    assert found is not None
    return found.checkpoint.tensors


def alike(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("best") / "run", *MEASURED)


def test_training_is_the_same_whether_it_is_measured_or_not(measured, tmp_path):
    assert alike(tensors(measured), tensors(run(tmp_path / "plain")))


def test_each_row_holds_the_step_the_figures_and_their_protocol(measured):
    rows = evaluations(measured)
    assert [row["step"] for row in rows] == [10, 20, 30, 40]
    for row in rows:
        scores = row["scores"]
        assert (scores["protocol"]["fake"], scores["protocol"]["data"]) == (40, "digits")
        one = scores["figures"]["frechet"]
        assert one["low"] <= one["value"] <= one["high"]
        assert one["floor"] > 0


def test_the_best_checkpoint_is_that_of_the_best_row(measured):
    rows = {
        row["step"]: row["scores"]["figures"]["frechet"]["value"] for row in evaluations(measured)
    }
    best = container.read(measured / "best.safetensors").meta
    assert best["step"] == min(rows, key=lambda step: rows[step])
    assert best["best"] == {"figure": "frechet", "value": min(rows.values())}
    assert Sampler.load(measured / "best.safetensors").sample(3, 0).shape == (3, 1, 8, 8)


@pytest.mark.training
def test_a_run_that_was_stopped_measures_and_keeps_the_same(measured, tmp_path, monkeypatch):
    with pytest.raises(Stopped):
        run(tmp_path / "b", *MEASURED, monkeypatch=monkeypatch, stop_at=25)
    assert [row["step"] for row in evaluations(tmp_path / "b")] == [10, 20]
    run(tmp_path / "b", *MEASURED)
    assert evaluations(tmp_path / "b") == evaluations(measured)
    assert alike(tensors(tmp_path / "b"), tensors(measured))
    kept, whole = (container.read(p / "best.safetensors") for p in (tmp_path / "b", measured))
    assert alike(kept.tensors, whole.tensors)
    assert kept.meta["best"] == whole.meta["best"]


@pytest.mark.training
def test_patience_ends_a_run_and_more_patience_goes_on(tmp_path, capfd):
    worse = (*MEASURED, "optimizer.lr=0.5", "evaluate_every=4", "patience=2")
    directory = run(tmp_path / "run", *worse)
    rows = [r["scores"]["figures"]["frechet"]["value"] for r in evaluations(directory)]
    ended = evaluations(directory)[-1]["step"]
    assert ended < 40
    assert rows.index(min(rows)) == len(rows) - 3
    assert state.newest(directory / "checkpoints").checkpoint.meta["step"] == ended
    assert "stopped early" in capfd.readouterr().out
    run(directory, *worse)
    assert "stopped early" in capfd.readouterr().out
    assert evaluations(directory)[-1]["step"] == ended
    run(directory, *worse[:-1], "patience=null")
    assert evaluations(directory)[-1]["step"] == 40


@pytest.mark.training
def test_rows_of_another_protocol_do_not_count(tmp_path, capfd):
    directory = run(tmp_path / "run", *MEASURED, "steps=10")
    run(directory, *MEASURED, "steps=20", "evaluate_n=60")
    assert "1 earlier evaluations are of another protocol" in capfd.readouterr().out
    assert container.read(directory / "best.safetensors").meta["step"] == 20


@pytest.mark.training
def test_a_checkpoint_that_another_figure_chose_is_not_called_the_best(tmp_path, capfd):
    asked = (*MEASURED[1:], "metric=[frechet,kid]", "steps=10")
    directory = run(tmp_path / "run", *asked, "best=kid")
    run(directory, *asked, "steps=20", "best=frechet")
    assert "was not chosen by frechet" in capfd.readouterr().out
    best = container.read(directory / "best.safetensors").meta
    assert (best["step"], best["best"]["figure"]) == (20, "frechet")


def test_what_can_not_be_measured_is_refused_before_training(tmp_path):
    with pytest.raises(UserMistake, match="metric=labels"):
        run(tmp_path / "a", "metric=[labels]")
    with pytest.raises(UserMistake, match="frechet"):
        run(tmp_path / "b", *MEASURED, "best=beauty")
    with pytest.raises(UserMistake, match="metric=frechet"):
        run(tmp_path / "c", "patience=3")
    assert not list(tmp_path.iterdir())


def test_the_best_is_told_by_the_first_distance_unless_another_figure_is_named():
    made = parts(composed("metric=[score,frechet]", "dataset=mnist")).metric
    assert directions(made)["score"] == 1
    assert chosen(made, None) == "frechet"
    assert chosen(made, "score") == "score"


def test_what_could_not_be_told_counts_for_patience(measured, tmp_path):
    typed = [*SMALL, *MEASURED, "patience=2", f"run_dir={tmp_path / 'run'}"]
    config = composed(*typed)
    made = parts(config)
    with Run.open(config, {"dataset": "digits"}, typed, ["gan", "train"]) as run:
        session = make(config, made, made.hardware.claim(), typed)
        best = Best.make(run, session, made, config, {"dataset": "digits"})
    assert best is not None
    best.found = [(10, 3.0), (20, None)]
    assert (best.best, best.tired) == ((10, 3.0), "")
    best.found.append((30, None))
    assert "not in 2 since" in best.tired
    best.found = [(10, None), (20, None), (30, None)]
    assert (best.best, best.tired) == (None, "")


def test_samples_beyond_all_bounds_do_not_end_training(tmp_path, capfd, monkeypatch):
    generate = Sampler.sample
    monkeypatch.setattr(Sampler, "sample", lambda *told, **c: generate(*told, **c) * 1e27)
    asked = ("metric=[kid,frechet]", "extractor=raw", "evaluate_every=5", "evaluate_n=40")
    directory = run(tmp_path / "run", *asked, "steps=10", "sample_every=10", "tensorboard=true")
    assert [row["step"] for row in evaluations(directory)] == [5, 10]
    for row in evaluations(directory):
        assert row["scores"]["figures"]["kid"]["low"] is None
    said = capfd.readouterr()
    assert "Warning" not in said.out + said.err
    assert "Traceback" not in said.out + said.err


@pytest.mark.training
def test_a_figure_that_is_not_told_here_is_not_what_is_waited_for(tmp_path):
    """The first distance of metric=answer is LPIPS, which has no weights here."""
    answers = ("model=unet", "model.width=4", "task=superres", "metric=[answer]")
    measured = (*answers, "extractor=raw", "evaluate_every=20", "evaluate_n=40")
    kept = container.read(run(tmp_path / "run", *measured) / "best.safetensors")
    assert kept.meta["best"]["figure"] == "psnr"
