"""What a run on a known law shows: pictures, numbers, curves and a film; and what it leaves be."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli import state, train
from gan_cli.errors import Stopped
from gan_cli.train import launch
from tests.games import composed

SMALL = ["steps=20", "batch_size=8", "log_every=5", "sample_every=5", "checkpoint_every=50"]


def run(directory: Path, *overrides: str, data: str = "two_gaussians") -> Path:
    told = [f"dataset={data}", *SMALL, *overrides, f"run_dir={directory}"]
    config = composed(*told)
    config["model"]["width"] = 16
    launch(config, {"model": "mlp_toy", "dataset": data}, told, ["gan", "train", *told])
    return directory


def rows(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "toy.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    return run(tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.training
def test_a_run_on_a_known_law_is_measured_and_drawn(done, capsys):
    assert [row["step"] for row in rows(done)] == [5, 10, 15, 20]
    last = rows(done)[-1]
    assert {"js", "js_by_d", "kl", "w1", "game", "game_at_best", "modes", "quality"} <= last.keys()
    for name in ("curves.png", "samples/step-00000020.png"):
        with Image.open(done / name) as picture:
            assert min(picture.size) >= 600
            assert len(picture.convert("RGB").resize((64, 64)).getcolors(4096)) > 50, "not blank"
    with Image.open(done / "samples" / "animation.webp") as film:
        assert film.n_frames == 4
    board = EventAccumulator(str(done / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("toy/js")] == [5, 10, 15, 20]
    assert "metrics.jsonl" in {path.name for path in done.iterdir()}
    assert len((done / "metrics.jsonl").read_text().splitlines()) == 20


@pytest.mark.training
def test_a_stop_changes_nothing_of_it(done, tmp_path, monkeypatch):
    pace = train._pace

    def paced(session, step):
        if step + 1 == 12:
            os.kill(os.getpid(), signal.SIGTERM)
        return pace(session, step)

    with monkeypatch.context() as patch:
        patch.setattr(train, "_pace", paced)
        with pytest.raises(Stopped):
            run(tmp_path / "run")
    assert not (tmp_path / "run" / "curves.png").exists(), "that is for the end"
    again = run(tmp_path / "run")
    assert [row["step"] for row in rows(again)] == [5, 10, 12, 15, 20]
    assert [row for row in rows(again) if row["step"] != 12] == rows(done)
    for step in (5, 10, 15, 20):
        name = f"samples/step-{step:08d}.png"
        assert (again / name).read_bytes() == (done / name).read_bytes()


@pytest.mark.training
def test_rows_that_a_crash_left_behind_are_written_again(done, tmp_path):
    run(tmp_path / "run", "steps=10")
    with (tmp_path / "run" / "toy.jsonl").open("a") as file:
        file.write('{"step": 15, "js": 9.0}\n{"step": 20, "js"')
    assert rows(run(tmp_path / "run")) == rows(done)


@pytest.mark.training
def test_looking_more_often_trains_the_same(done, tmp_path):
    often = run(tmp_path / "run", "sample_every=2")
    ends = [state.newest(d / "checkpoints").checkpoint.tensors for d in (done, often)]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


@pytest.mark.training
def test_the_end_is_told_in_a_table(tmp_path, capsys):
    run(tmp_path / "run", data="ring")
    told = capsys.readouterr().out
    line = next(line for line in told.splitlines() if line.startswith("modes found"))
    assert line.split()[-1] == "8"
    assert "the data itself" in told


@pytest.mark.training
def test_images_are_shown_as_they_were(tmp_path, capsys):
    told = ["dataset=digits", "model=mlp", *SMALL, f"run_dir={tmp_path / 'run'}"]
    launch(composed(*told), {"model": "mlp", "dataset": "digits"}, told, ["gan", "train", *told])
    assert not (tmp_path / "run" / "toy.jsonl").exists()
    assert not (tmp_path / "run" / "curves.png").exists()
    assert {path.suffix for path in (tmp_path / "run" / "samples").iterdir()} == {".png"}
