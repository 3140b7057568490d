"""Laws of every experiment and every entry: it composes, runs, keeps what it should, samples."""

from __future__ import annotations

import pytest
import torch

from gan_cli import train
from gan_cli.sampler import Sampler
from tests.conftest import entries
from tests.games import TINY, composed

pytestmark = pytest.mark.training

DOWNLOADED = {"mnist", "fashion_mnist", "kmnist", "cifar10", "folder"}
GROUPS = ("model", "loss", "penalty", "constraint", "augment", "dynamics", "optimizer", "schedule")
CHOICES = [
    *(f"experiment={name}" for name in entries("experiment")),
    *(f"dataset={name}" for name in entries("dataset") if name not in DOWNLOADED),
    *(f"{group}={name}" for group in GROUPS for name in entries(group) if name != "mixture"),
]


@pytest.mark.parametrize("choice", CHOICES)
def test_it_runs_two_steps_and_its_generator_samples(choice, tmp_path):
    asked = [choice, *TINY, f"run_dir={tmp_path / 'run'}"]
    config = composed(*asked)
    module = config["model"]["_target_"].split(".")[-2]
    train.launch(config, {"model": module}, asked, ["gan", "train", *asked])
    sampler = Sampler.load(tmp_path / "run" / "generator.safetensors")
    given = sampler.space.given
    c = None if given is None else torch.rand(5, *given) * 2 - 1
    samples = sampler.sample(5, seed=0, c=c)
    assert samples.isfinite().all()
    assert sampler.step == 2
    assert not torch.equal(samples[0], samples[1])
