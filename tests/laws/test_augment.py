"""Laws of every augmentation: real and fake alike, differentiable, over any shape."""

from __future__ import annotations

import pytest
import torch

from gan_cli.augment.instance_noise import InstanceNoise
from gan_cli.batch import Batch
from gan_cli.randomness import reseed
from tests.conftest import entries
from tests.games import composed, part
from tests.laws.test_step import batches, game

AUGMENTS = {name: part("augment", name) for name in entries("augment")}
SHAPES = [(2,), (1, 8, 8), (3, 5, 7)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", AUGMENTS)
def test_samples_keep_their_shape_and_g_learns_through_it(name, shape):
    augment = AUGMENTS[name]
    if refusal := augment.refuses(shape):
        assert "augment=" in refusal
        return
    x = torch.randn(6, *shape, requires_grad=True)
    seen = augment(x)
    assert seen.shape == x.shape
    (gradient,) = torch.autograd.grad(seen.sum(), x)
    assert gradient.flatten(1).abs().sum(1).min() > 0


@pytest.mark.parametrize("name", AUGMENTS)
def test_real_and_fake_go_through_it_in_both_steps(name):
    gan = game(f"augment={name}")
    seen, judge = [], gan.judge
    gan.judge = lambda batch: (seen.append(batch.x), judge(batch))[1]
    gan.augment = lambda x: AUGMENTS[name](x) + 100
    gan.step(batches(), 0)
    assert len(seen) == 3  # real and fake in D's step, fake in G's
    assert all(x.mean() > 90 for x in seen)


@pytest.mark.parametrize("name", AUGMENTS)
def test_it_is_a_function_of_the_seed(name):
    ends = []
    for _ in range(2):
        reseed(3)
        ends.append(AUGMENTS[name](torch.zeros(4, 2)))
    assert torch.equal(*ends)


def test_nothing_is_changed_by_none():
    x = torch.randn(4, 2)
    assert AUGMENTS["none"](x) is x


@pytest.mark.parametrize("std", [0.0, 0.1, 2.0])
def test_instance_noise_has_the_deviation_it_is_given(std):
    reseed(0)
    x = torch.linspace(-1, 1, 20_000).unsqueeze(1)
    noise = InstanceNoise(std)(x) - x
    assert noise.mean().abs() < 0.05 * (std or 1)
    assert noise.std().item() == pytest.approx(std, rel=0.03, abs=1e-6)


def test_impossible_noise_is_refused():
    with pytest.raises(ValueError, match="std can't be negative"):
        InstanceNoise(-0.1)


def test_annealed_noise_ends_at_nothing_and_only_where_it_is_chosen():
    noisy = composed("augment=instance_noise_annealed")
    assert (noisy["augment"]["std"], noisy["anneal"]["to"]) == (0.1, {"augment": {"std": 0.0}})
    assert composed("augment=instance_noise")["anneal"]["to"] == {}


def test_d_sees_new_noise_each_time_and_memory_hears_it():
    gan = game("augment=instance_noise", "augment.std=5.0")
    batch = Batch(torch.zeros(8, 1, 8, 8))
    assert gan.judge(gan.look(batch)).std() > 0
    assert gan.judge(batch).std() == 0
