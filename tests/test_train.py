"""A run from its command to its files: what it keeps, refuses and says."""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from gan_cli import build, session, state, train
from gan_cli.container import read
from gan_cli.errors import BadFile, NumericalFailure, Stopped, UserMistake
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.sampler import Sampler
from tests.games import composed

TINY = [
    "model=mlp",
    "model.width=16",
    "batch_size=8",
    "log_every=5",
    "sample_every=10",
    "checkpoint_every=10",
]


def run(directory: Path, *overrides: str) -> Path:
    asked = [*TINY, *overrides, f"run_dir={directory}"]
    choices = {"model": "mlp"}
    train.launch(composed(*asked), choices, asked, ["gan", "train", *asked])
    return directory


def rows(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_what_it_promises(tmp_path):
    directory = run(tmp_path / "run", "steps=20")
    kept = sorted(path.name for path in (directory / "checkpoints").glob("*.safetensors"))
    assert kept == ["step-00000010.safetensors", "step-00000020.safetensors"]
    assert [row["step"] for row in rows(directory)] == list(range(1, 21))
    last = rows(directory)[-1]
    assert last["images"] == 160
    assert last["updates/d"] == last["updates/g"] == 20
    assert {"loss/d", "loss/g", "D/real", "D/fake", "grad_norm/d", "grad_norm/g"} <= last.keys()
    with Image.open(directory / "samples" / "step-00000020.png") as image:
        assert image.size[0] > 500  # 8×8 pixels are enlarged
    info = json.loads((directory / "run.json").read_text())
    assert info["choices"]["model"] == "mlp"
    assert "model=mlp" in json.dumps(info)


def test_tensorboard_shows_curves_samples_outputs_and_settings(tmp_path):
    directory = run(tmp_path / "run", "steps=20")
    board = EventAccumulator(str(directory / "tensorboard"), size_guidance={"images": 0})
    board.Reload()
    tags = board.Tags()
    assert {"loss/d", "loss/g", "D/real", "D/fake", "images_per_second"} <= set(tags["scalars"])
    assert tags["images"] == ["samples"]
    assert len(board.Images("samples")) == 2
    assert set(tags["histograms"]) == {"D/real", "D/fake"}
    assert [event.step for event in board.Scalars("loss/d")] == [5, 10, 15, 20]


def test_the_generator_file_and_the_run_give_the_same_samples(tmp_path):
    directory = run(tmp_path / "run", "steps=10")
    from_file = Sampler.load(directory / "generator.safetensors")
    from_run = Sampler.load(directory)
    assert torch.equal(from_file.sample(20, seed=3), from_run.sample(20, seed=3))
    assert not torch.equal(
        from_run.sample(20, seed=3), Sampler.load(directory, raw=True).sample(20, seed=3)
    )
    names = read(directory / "generator.safetensors").tensors.keys()
    assert {name.split("/")[0] for name in names} == {"G", "G_ema"}


def test_a_larger_budget_goes_on(tmp_path):
    short = run(tmp_path / "a", "steps=10")
    run(short, "steps=20")
    straight = run(tmp_path / "b", "steps=20")
    ends = [state.newest(d / "checkpoints").checkpoint.tensors for d in (short, straight)]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[1])


def test_a_signal_that_arrives_late_is_met_by_the_next_step(tmp_path, monkeypatch):
    """What is said to be saved is saved, wherever in a step the signal comes."""
    from gan_cli import show

    draw = show.Show.grid

    def interrupted(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return draw(self)

    monkeypatch.setattr(show.Show, "grid", interrupted)
    with pytest.raises(Stopped, match="saved at step 11"):
        run(tmp_path / "run", "steps=40", "sample_every=10", "checkpoint_every=40")
    assert state.newest(tmp_path / "run" / "checkpoints").checkpoint.meta["step"] == 11


def test_images_are_those_that_d_has_seen(tmp_path):
    directory = run(tmp_path / "run", "steps=5", "n_critic=2", "n_generator=3")
    assert rows(directory)[-1]["images"] == 5 * 2 * 8


def test_a_checkpoint_with_a_tensor_of_another_shape_is_refused(tmp_path):
    directory = run(tmp_path / "run", "steps=10")
    found = state.newest(directory / "checkpoints").checkpoint
    for name in ("opt_G/0/exp_avg", "count_D", "G/layers.0.weight", "G_ema/layers.0.weight"):
        changed = {**found.tensors, name: found.tensors[name].flatten()[:1]}
        state.save(directory / "checkpoints", 10, changed, found.meta)
        with pytest.raises(BadFile, match=re.escape(name.split("/", 1)[-1])):
            run(directory, "steps=20")


def test_another_configuration_is_refused_with_the_difference(tmp_path):
    directory = run(tmp_path / "run", "steps=10")
    with pytest.raises(UserMistake, match=r"optimizer\.lr.*0\.0002.*0\.5"):
        run(directory, "steps=10", "optimizer.lr=0.5")


def test_another_data_set_is_refused(tmp_path):
    directory = run(tmp_path / "run", "steps=10")
    with pytest.raises(UserMistake, match=r"dataset.split: all → train"):
        run(directory, "steps=20", "dataset.split=train")


def test_a_data_set_that_changed_in_place_is_refused(tmp_path, monkeypatch):
    from gan_cli.dataset.digits import Digits

    directory = run(tmp_path / "run", "steps=10")
    load = Digits.load
    monkeypatch.setattr(Digits, "load", lambda self: replace(load(self), fingerprint="0" * 64))
    with pytest.raises(UserMistake, match="data set is not the one"):
        run(directory, "steps=20")


@pytest.mark.parametrize("override", ["optimizer.lr=1e30", "penalty=gp penalty.gp.weight=1e38"])
def test_numbers_that_run_away_stop_the_run_and_are_never_saved(tmp_path, override):
    directory = tmp_path / "run"
    with pytest.raises(NumericalFailure, match=r"step \d+"):
        run(directory, "steps=40", "checkpoint_every=1", "loss=wgan", *override.split())
    for path in (directory / "checkpoints").glob("*.safetensors"):
        tensors = read(path).tensors
        assert all(t.isfinite().all() for t in tensors.values() if t.is_floating_point())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset=ring model=dcgan", "model=mlp"),
        ("model=dcgan loss=wgan_gp model.d_norm=batch", "model.d_norm=layer"),
        ("model=dcgan constraint=spectral model.d_norm=batch", "model.d_norm=none"),
        ("loss=wgan constraint=free", "constraint=clip"),
        ("loss=wgan_gp model=dcgan constraint=spectral model.d_norm=layer", "model.d_norm=none"),
        ("dataset=ring epochs=1", "steps or images"),
        ("images=100 epochs=1", "one of them"),
    ],
)
def test_what_cannot_be_right_is_refused_with_the_fix(tmp_path, override, message):
    directory = tmp_path / "run"
    asked = [*override.split(), "batch_size=4", f"run_dir={directory}"]
    config = composed(*asked)
    with pytest.raises(UserMistake, match=message):
        train.launch(config, {"model": "mlp"}, asked, ["gan"])
    assert not directory.exists()


def test_every_problem_of_the_components_is_told_at_once():
    config = composed("optimizer.lr=-1", "model.width=0", "ema.half_life=-2")
    assert len(build.check(config)) == 3


BUDGETS = [
    ("steps=7", 7),
    ("images=640", 10),
    ("images=641", 11),
    ("images=640 n_critic=5", 2),
    ("epochs=1", 29),
    ("epochs=2 batch_size=1797", 2),
]


@pytest.mark.parametrize(("override", "steps"), BUDGETS)
def test_budgets_in_steps_images_and_epochs(override, steps):
    config = composed(*override.split())
    assert session.budget(config, 1797) == steps


def test_a_file_names_an_installed_model_by_its_choice_and_a_foreign_one_by_its_class():
    spec = {"_target_": "gan_cli.model.mlp.MLP", "z_dim": 3}
    assert build.described("model", "mlp", spec) == {"name": "mlp", "args": {"z_dim": 3}}
    assert build.described("model", "", spec)["name"] == "mlp"
    for choice in ("mlp", "../x"):
        assert build.described("model", choice, {"_target_": "mine.MLP"})["name"] == "mine.MLP"


class Reduced(NonSaturating):
    """A loss that reduces what it should not."""

    def d(self, real, fake):
        return super().d(real, fake).mean()


class Column(nn.Module):
    """A D with one column too many."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x, c=None):
        return self.net(x, c)[:, None]


def test_what_is_not_one_number_a_sample_is_refused():
    """Else a penalty would count N times, or a gradient be N times too small, without a word."""
    from tests.laws.test_step import batches, game

    gan = game("penalty=r1")
    gan.loss = Reduced()
    with pytest.raises(UserMistake, match=r"Reduced gives \(\) for a batch of 8"):
        gan.d_step(batches()[0])
    gan = game("penalty=r1")
    gan.D.net = Column(gan.D.net)
    with pytest.raises(UserMistake, match=r"Column gives \(8, 1\) for a batch of 8"):
        gan.d_step(batches()[0])


class Half:
    """A loss that doesn't say whether G reads what is real."""

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        return real

    def g(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake


def test_a_component_of_ones_own_that_lacks_something_is_named():
    config = composed()
    config["loss"] = {"_target_": "tests.test_train.Half"}
    config["schedule"] = {"_target_": "gan_cli.loss.hinge.Hinge"}
    config["penalty"] = {"mine": {"weight": 3}}
    assert build.check(config) == [
        (
            "loss: tests.test_train.Half has no relative: "
            "write `relative: ClassVar[bool] = False` in the class, unless g reads real"
        ),
        "schedule._target_=gan_cli.loss.hinge.Hinge is no class with __call__",
        (
            "penalty.mine: its YAML has no _target_, so nothing can be made of it; "
            "one of a penalty says: # @package _global_, then penalty: {NAME: {…}}"
        ),
    ]


def test_a_head_start_of_the_whole_budget_is_refused(tmp_path):
    with pytest.raises(UserMistake, match="head_start=5"):
        run(tmp_path / "run", "steps=5", "head_start.d=5")


def test_a_run_whose_checkpoints_were_removed_is_not_trained_over(tmp_path):
    directory = run(tmp_path / "run", "steps=10")
    for path in (directory / "checkpoints").glob("*.safetensors"):
        path.unlink()
    every = (path for path in directory.rglob("*.*") if path.is_file())
    left = {path: path.read_bytes() for path in every if path.name != ".lock"}  # it tells the time
    with pytest.raises(BadFile, match="holds no checkpoint any more.*fresh=true"):
        run(directory, "steps=10")
    assert left == {path: path.read_bytes() for path in left}
    run(directory, "steps=10", "fresh=true")
    assert (tmp_path / "run.old-1" / "generator.safetensors").exists()
