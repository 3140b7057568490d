"""Laws of every experiment and every entry: it composes, runs, keeps what it should, samples."""

from __future__ import annotations

import pytest
import torch

from gan_cli import train
from gan_cli.sampler import Sampler
from tests.conftest import entries
from tests.games import TINY, composed

pytestmark = pytest.mark.training

ELSEWHERE = {  # what needs files of the user's, tried with some in tests of its own
    *("dataset=mnist", "dataset=fashion_mnist", "dataset=kmnist", "dataset=cifar10"),
    *("dataset=folder", "dataset=pairs", "dataset=frames"),
    *("task=frames", "task=colorize", "task=translate", "term=perceptual"),
    "model=mixture",  # with method=mixture
}
COMPANIONS = {  # what an entry needs beside it
    "model=unet": "task=superres",
    "condition=unseen": "task=label auxiliary=acgan",
    "auxiliary=acgan": "task=label",
    "auxiliary=tac": "task=label",
    "auxiliary=adc": "task=label",
    "auxiliary=semi": "task=semi",
    "term=path_length": "model=stylegan2",
    "term=feature_matching": "model=mlp",
    "term=diversity": "model=mlp",
    "method=cyclegan": "task=unpaired",
    "method=regression": "task=denoise",
}
WITH = {"condition": "task=label", "term": "task=inpaint"}
GROUPS = (
    *("model", "loss", "penalty", "constraint", "augment", "dynamics", "optimizer", "schedule"),
    *("discriminator", "prior", "condition", "auxiliary", "task", "term", "method"),
)
NEED_MNIST = {"dataset=stacked_mnist"} | {
    f"experiment={name}" for name in entries("experiment") if name.endswith("_mnist")
}
CHOICES = [
    *(f"experiment={name}" for name in entries("experiment")),
    *(f"{group}={name}" for group in ("dataset", *GROUPS) for name in entries(group)),
]


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice not in ELSEWHERE])
def test_it_runs_two_steps_and_its_generator_samples(choice, tmp_path, request):
    if choice in NEED_MNIST:
        request.getfixturevalue("mnist_root")  # skips where there is none
    beside = COMPANIONS.get(choice) or WITH.get(choice.partition("=")[0])
    asked = [*(beside or "").split(), choice, *TINY, f"run_dir={tmp_path / 'run'}"]
    config = composed(*asked)
    train.launch(config, {}, asked, ["gan", "train", *asked])
    sampler = Sampler.load(tmp_path / "run" / "generator.safetensors")
    given = sampler.space.given
    c = None if given is None else torch.rand(5, *given) * 2 - 1
    samples = sampler.sample(5, seed=0, c=c)
    assert samples.isfinite().all()
    assert sampler.step == 2
    assert not torch.equal(samples[0], samples[1])
