"""The law of resumption: stopped and continued is the same as never stopped, bit for bit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gan_cli import state, train
from gan_cli.errors import Stopped
from gan_cli.train import launch
from tests.conftest import entries
from tests.games import composed

pytestmark = pytest.mark.training

GAMES = (
    [f"loss={name}" for name in entries("loss")]
    + [f"experiment={name}" for name in entries("experiment")]
    + [f"optimizer={name}" for name in entries("optimizer")]
    + [f"schedule={name}" for name in entries("schedule")]
    + [f"dynamics={name}" for name in entries("dynamics")]
    + [f"augment={name}" for name in entries("augment")]
    + [
        "penalty=[r1,r2]",
        "penalty=lecam",
        "constraint=lipschitz",
        "constraint=weight_norm",
        "pack=2 top_k=0.5",
        "penalty=r1 +anneal.to.penalty.r1.gamma=0.1 +anneal.to.optimizer.lr=1e-5",
        "penalty.r1.every=3 penalty=r1",
        "tensorboard=true",
        "head_start.d=12",
        "n_critic=3",
        "ema.half_life=0",
        "accumulate=2 clip_grad=0.1",
        "schedule=cosine schedule.warmup=0.5",
        "task=label model=mlp prior=categorical",
        "task=label condition=projection condition.g=norm model=sngan constraint=spectral",
        "task=label condition=unseen auxiliary=[acgan,infogan] model=mlp",
        "task=semi model=mlp term=feature_matching",
        "task=superres discriminator=patch model.width=8",
        "task=fork term=[l2,diversity] model.width=8",
        "task=edges method=regression term=gradient_difference model.width=8",
        "task=label model=stylegan2 term=path_length penalty=r1_small_lazy",
        "method=autoencoder accumulate=2",
        "method=autoencoder dataset=ring",
        "method=vae +anneal.to.method.beta=4.0",
        "method=vae task=label model=mlp ema.half_life=0",
        "method=vae_gaussian dataset=ring",
        "method=mixture",
        "method=mixture dataset=moons model.covariance=diag method.points=500",
        "method=mixture_gradient",
        "method=mixture_gradient dataset=ring optimizer=sgd",
        "method=cyclegan task=unpaired task.of=invert model=unet penalty=lecam",
        "method=cyclegan task=unpaired model=unet method.identity=5.0 n_critic=2 accumulate=2",
    ]
)
DCGAN = "dcgan"
SMALL = ["steps=20", "batch_size=8", "log_every=7", "sample_every=15", "checkpoint_every=50"]
SMALL += ["diagnose.n=64", "evaluate_n=200", "tensorboard=false"]


def run(tmp_path: Path, name: str, game: str, monkeypatch, stop_at: int | None = None) -> Path:
    """Train in a directory of that name; with `stop_at`, a SIGTERM arrives during that step."""
    directory = tmp_path / name
    overrides = [*SMALL, *game.split(), f"run_dir={directory}"]
    config = composed(*overrides)
    family = config["model"]["_target_"].split(".")[-2]
    if "width" in config["model"]:
        config["model"]["width"] = 4 if family == DCGAN else 16
    if "count" in config["dataset"]:
        config["dataset"]["count"] = 2000
    choices = {"model": family}
    with monkeypatch.context() as patch:
        if stop_at is not None:
            pace = train._pace

            def paced(session, step):
                if step + 1 == stop_at:
                    os.kill(os.getpid(), signal.SIGTERM)
                return pace(session, step)

            patch.setattr(train, "_pace", paced)
        launch(config, choices, overrides, ["gan", "train", *overrides])
    return directory


def final(directory: Path) -> dict:
    found = state.newest(directory / "checkpoints")
    assert found is not None
    assert found.checkpoint.meta["step"] == 20
    return found.checkpoint.tensors


@pytest.mark.parametrize("game", GAMES)
def test_20_steps_are_10_a_stop_and_10_more(game, tmp_path, monkeypatch, request):
    if game.endswith("_mnist"):
        request.getfixturevalue("mnist_root")  # skips where there is none
    straight = run(tmp_path, "straight", game, monkeypatch)
    with pytest.raises(Stopped):
        run(tmp_path, "stopped", game, monkeypatch, stop_at=10)
    resumed = run(tmp_path, "stopped", game, monkeypatch)
    a, b = final(straight), final(resumed)
    assert a.keys() == b.keys()
    assert all(a[key].equal(b[key]) for key in a)
    rows = [(d / "metrics.jsonl").read_text() for d in (straight, resumed)]
    assert rows[0] == rows[1]
    assert len(rows[0].splitlines()) == 20
    last = [(d / "samples" / "step-00000020.png").read_bytes() for d in (straight, resumed)]
    assert last[0] == last[1]


def test_a_finished_run_is_left_alone(tmp_path, monkeypatch, capsys):
    directory = run(tmp_path, "done", "loss=nonsaturating", monkeypatch)
    files = {path: path.stat().st_mtime_ns for path in (directory / "checkpoints").iterdir()}
    run(tmp_path, "done", "loss=nonsaturating", monkeypatch)
    assert "is done" in "".join(capsys.readouterr())
    assert files == {
        path: path.stat().st_mtime_ns for path in (directory / "checkpoints").iterdir()
    }
