"""task=semi: few labels, the same few in every run, and a share of every batch."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_cli import build, session
from gan_cli.dataset.digits import Digits
from gan_cli.dataset.source import Endless, Resident
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import UserMistake
from gan_cli.few import AT_ONCE, accuracies
from gan_cli.randomness import reseed
from gan_cli.session import Session
from gan_cli.task.semi import Semi
from tests.games import composed, part

CPU = torch.device("cpu")
CLASSES = ("a", "b", "c")


def images(n: int = 60) -> Resident:
    """Images whose first pixel is their number."""
    x = torch.zeros(n, 1, 4, 4, dtype=torch.uint8)
    x[:, 0, 0, 0] = torch.arange(n)
    return Resident.of(x, torch.arange(n) % 7 % 3, CLASSES)


def streamed(source: Resident) -> Streamed:
    assert source.labels is not None
    return Streamed(
        source.images, source.labels, source.length, source.shape, CLASSES, "abc", workers=0
    )


def numbers(x: Tensor) -> Tensor:
    return ((x[:, 0, 0, 0] + 1) * 127.5).round().long()


SOURCES = {"resident": images(), "streamed": streamed(images())}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_batch_has_its_share_of_true_labels_and_no_other(source):
    feed = Semi(labelled=9, share=0.25).take(source).open(16, 3, CPU)
    seen = []
    for i in range(20):
        batch = feed(i)
        known = batch.c >= 0
        assert batch.x.shape == (16, 1, 4, 4)
        assert known.sum() == 4
        assert torch.equal(batch.c[known], source.labels[numbers(batch.x)[known]])
        seen += numbers(batch.x)[known].tolist()
    assert len(set(seen)) == 9  # the same few, all of them
    assert sorted(source.labels[list(set(seen))].tolist()) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_batch_is_a_function_of_its_number_and_the_seed(source):
    taken = Semi(labelled=9).take(source)
    feed, again, other = (taken.open(16, seed, CPU) for seed in (3, 3, 4))
    forwards = [feed(i) for i in range(8)]
    for i in (5, 0, 7):
        assert torch.equal(again(i).x, forwards[i].x)
        assert torch.equal(again(i).c, forwards[i].c)
    assert not torch.equal(other(0).x, forwards[0].x)


def test_a_stream_gives_what_memory_does():
    one, two = (Semi(labelled=9).take(source).open(16, 3, CPU)(4) for source in SOURCES.values())
    assert torch.equal(one.x, two.x)
    assert torch.equal(one.c, two.c)


def test_the_others_are_all_the_samples_in_turn():
    """An epoch of what has no label is an epoch of the data."""
    feed = Semi(labelled=3, share=0.25).take(images()).open(16, 0, CPU)
    rest = torch.cat([numbers(feed(i).x)[feed(i).c < 0] for i in range(5)])
    assert rest.sort().values.tolist() == list(range(60))


def test_the_parts_of_a_batch_have_their_share():
    batch = Semi(labelled=9, share=0.25).take(images()).open(16, 0, CPU)(0)
    assert [(part.c >= 0).sum().item() for part in batch.split(4)] == [1, 1, 1, 1]


def test_labels_are_balanced_and_those_of_fewer_are_among_those_of_more():
    labels = Digits("train").load().labels
    chosen = [set(Semi(labelled=n).chosen(labels, 10).tolist()) for n in (10, 50, 57, 100, 1000)]
    for few, many in pairwise(chosen):
        assert few < many
    for n, some in zip((10, 50, 57, 100, 1000), chosen, strict=True):
        counts = labels[list(some)].bincount(minlength=10)
        assert counts.sum() == n
        assert counts.max() - counts.min() <= 1
    assert chosen[1] == set(Semi(labelled=50).chosen(labels, 10).tolist())
    assert chosen[1] != set(Semi(labelled=50, seed=1).chosen(labels, 10).tolist())


def test_every_label_can_be_kept():
    labels = torch.tensor([2, 0, 1, 1, 0, 2])
    assert Semi(labelled=6).chosen(labels, 3).tolist() == list(range(6))


def test_g_is_told_nothing():
    space = Semi().space(Digits().load())
    assert space.classes == ()
    assert space.kinds == tuple("0123456789")
    source = Semi().take(Digits().load())
    assert source.classes == ()
    assert source.length == 1797


@pytest.mark.parametrize(("field", "value"), [("labelled", 0), ("share", 0.0), ("share", 1.0)])
def test_impossible_values_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        Semi(**{field: value})


def test_what_cannot_be_is_refused_with_the_fix():
    with pytest.raises(ValueError, match="dataset=digits"):
        Semi().space(Endless(part("dataset", "ring").load().density))
    unnamed = dataclasses.replace(images(), labels=None, classes=())
    with pytest.raises(ValueError, match="it needs labels"):
        Semi().space(unnamed)
    with pytest.raises(ValueError, match="task.labelled=1740 or less"):
        Semi(labelled=1797).space(Digits().load())
    with pytest.raises(UserMistake, match="batch_size=1"):
        Semi(labelled=3).take(images()).open(1, 0, CPU)


def made(*overrides: str) -> Session:
    config = composed("experiment=semi", *overrides)
    return session.make(config, build.parts(config), CPU)


@pytest.mark.parametrize("told", ["auxiliary=[none]", "method=vae"])
def test_labels_that_nobody_learns_are_refused(told):
    config = composed("dataset=digits", "task=semi", "model=mlp", told)
    with pytest.raises(UserMistake, match="auxiliary=semi"):
        session.make(config, build.parts(config), CPU)


def worth(D: nn.Module) -> float:
    """The share of the held-out digits that the classes of D name right."""
    return accuracies(D, Digits("test").load(), CPU)["semi"]


def alone(seed: int) -> float:
    """The same network, from the same few labels, without a GAN."""
    few = made(f"seed={seed}", f"task.seed={seed}")
    D = few.game.D.net
    feed = few.source.known().open(32, seed, CPU)
    optimizer = torch.optim.Adam(D.parameters(), lr=1e-3)
    for i in range(600):
        batch = feed(i)
        optimizer.zero_grad()
        cross_entropy(D.both(batch.x, None)[1]["semi"], batch.c).backward()
        optimizer.step()
    return worth(D)


def with_a_gan(seed: int) -> float:
    gan = made(f"seed={seed}", f"task.seed={seed}")
    for step in range(gan.steps):
        reseed(seed, step)
        for player in gan.method.players.values():
            player.pace(gan.schedule(step / gan.steps))
        gan.step([gan.feed(step)], step)
    return worth(gan.game.D.net)


def test_few_labels_reach_d_and_no_other():
    gan = made("model.width=8")
    facts = gan.step([gan.feed(0)], 0)
    assert facts["auxiliary/semi/d"] > 1  # 8 weights, an eighth of the batch, about log 10 each
    assert facts["auxiliary/semi/g"] == 0
    assert gan.space.classes == ()


def test_accuracy_counts_every_sample_once():
    """By hand, for a D that was never trained; over more than one batch."""
    D, test = made("model.width=8").game.D.net, Digits().load()
    assert test.length > AT_ONCE
    x = test.images.float() / 127.5 - 1
    with torch.no_grad():
        named = D.both(x, None)[1]["semi"].argmax(1)
    assert worth(D) == pytest.approx((named == test.labels)[4::5].float().mean().item())
    by_hand = (named == test.labels).float().mean().item()
    assert accuracies(D, test, CPU)["semi"] == pytest.approx(by_hand)
    assert accuracies(D.D, test, CPU) == {}
    with pytest.raises(ValueError, match="have labels"):
        accuracies(D, part("dataset", "ring").load(), CPU)


@pytest.mark.training
def test_samples_without_labels_make_a_better_classifier():
    """50 labels of digits, 5 of each: 86% by themselves, 95% with a GAN (seed 0)."""
    assert with_a_gan(0) > alone(0) + 0.04
