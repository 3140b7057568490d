"""Stacked MNIST: the triples, the judge that reads them, and the modes that are counted."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_cli.dataset import idx, mnist, stacked_mnist
from gan_cli.dataset.halves import held_out
from gan_cli.dataset.idx import Family
from gan_cli.dataset.source import Resident, normalised
from gan_cli.dataset.stacked_mnist import CLASSES, Stacked, StackedMNIST, number, stacked
from gan_cli.dataset.subset import subset
from gan_cli.metric import Exam, Extractor, Sight, Untrue, judge
from gan_cli.metric.judge import Judge
from gan_cli.metric.judge_stack import StackedJudge
from gan_cli.metric.neighbours import nearest
from gan_cli.metric.stacked import StackedModes, divergence, told
from tests.test_dataset_download import N, idx_files

CPU = torch.device("cpu")
COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
"""How many of each digit MNIST has to train on."""

FLOORS = {10_000: 0.0550, 20_000: 0.0295, 26_000: 0.0238, 50_000: 0.0144}
"""The KL of so many real triples from a uniform law, from 50 drawings of each."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tiny MNIST of noise, 20 images a split."""
    noise = Family("MNIST", tuple("0123456789"), {})
    monkeypatch.setattr(mnist, "FAMILY", noise)
    monkeypatch.setattr(stacked_mnist, "FAMILY", noise)
    for part, (prefix, _) in idx.PARTS.items():
        monkeypatch.setitem(idx.PARTS, part, (prefix, N))
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, data in idx_files().items():
        (raw / name).write_bytes(data)
    return str(tmp_path)


def patterns(n: int = 120) -> Resident:
    """Ten classes that anything can tell apart: a bright row, and noise."""
    labels = torch.arange(n) % 10
    images = torch.randint(0, 60, (n, 1, 10, 10), generator=torch.Generator().manual_seed(0))
    images[torch.arange(n), 0, labels] += 150
    return Resident.of(images.to(torch.uint8), labels, tuple("0123456789"))


@pytest.fixture(scope="module")
def triples(tmp_path_factory: pytest.TempPathFactory) -> Stacked:
    """Triples of patterns, and their judge in a cache of its own."""
    digits = patterns()
    assert digits.labels is not None
    chosen = torch.randint(digits.length, (3000, 3), generator=torch.Generator().manual_seed(1))
    images, labels = stacked(digits.images, chosen), number(digits.labels[chosen])
    return Stacked(images, labels, CLASSES, "0", digits=digits)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where judges are kept, for all tests of this file."""
    place = tmp_path_factory.getbasetemp() / "judges"
    monkeypatch.setattr(judge, "home", lambda: place)
    return place


def pictures(source: Resident, n: int | None = None) -> Tensor:
    return normalised(source.images[:n], None, None, CPU).x


def sight(x: Tensor, c: Tensor | None = None) -> Sight:
    extractor: Extractor | None = None
    return Sight(x, c, extractor)


# the data


@pytest.mark.parametrize("split", ["train", "test", "all"])
def test_each_colour_is_a_digit_and_the_class_names_all_three(root, split):
    found = StackedMNIST(root, split, count=50).load()
    whole = [mnist.MNIST(root, s).load() for s in ("train", "test") if split in (s, "all")]
    known = {
        image.numpy().tobytes(): int(label)
        for source in whole
        for image, label in zip(source.images, source.labels, strict=True)
    }
    assert found.images.shape == (50, 3, 28, 28)
    assert len(found.classes) == 1000
    assert found.labels is not None
    for image, label in zip(found.images, found.labels.tolist(), strict=True):
        digits = [known[colour.numpy().tobytes()] for colour in image]
        assert found.classes[label] == "".join(map(str, digits))
    assert len(set(found.labels.tolist())) > 30, "digits are drawn by themselves for each colour"


def test_triples_are_a_function_of_the_seed_and_split(root):
    first = StackedMNIST(root, count=50).load()
    assert torch.equal(first.images, StackedMNIST(root, count=50).load().images)
    assert first.fingerprint == StackedMNIST(root, count=50).load().fingerprint
    other = StackedMNIST(root, count=50, seed=1).load()
    assert not torch.equal(first.labels, other.labels)
    assert first.fingerprint != other.fingerprint


def test_those_held_out_are_of_the_images_held_out(root):
    beside = held_out(StackedMNIST(root, count=50))
    assert isinstance(beside, Stacked)
    assert torch.equal(beside.images, StackedMNIST(root, "test", count=50).load().images)
    assert held_out(StackedMNIST(root, "all", count=50)) is None


@pytest.mark.parametrize("split", ["train", "test", "all"])
def test_they_know_the_digits_that_a_judge_learns_from(root, split):
    found = StackedMNIST(root, split, count=50).load()
    assert found.digits is not None
    assert found.digits.fingerprint == mnist.MNIST(root).load().fingerprint
    some = subset(found, torch.arange(5))
    assert isinstance(some, Stacked)
    assert some.digits is found.digits


def test_they_are_images_in_memory_like_any_others(root):
    found = StackedMNIST(root, count=50).load()
    batch = found.open(8, 0, CPU)(0)
    assert batch.x.shape == (8, 3, 28, 28)
    near = nearest(pictures(found, 4), found)
    assert near.numbers[:, 0].tolist() == [0, 1, 2, 3]
    assert near.distance[:, 0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("wrong", "words"), [({"split": "val"}, "split"), ({"count": 0}, "count")])
def test_impossible_values_are_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        StackedMNIST(**wrong)


# the judge


def test_the_judge_reads_each_colour_by_itself(triples, home):
    seen = StackedJudge.of(triples)
    assert seen is not None
    x, digit = pictures(triples, 600), Judge.of(triples.digits)
    assert seen.sha256 == digit.sha256
    assert torch.equal(seen.labels(x), triples.labels[:600])
    h, p = seen.features(x), seen.probabilities(x)
    assert h.shape == (600, 3 * 64)
    assert torch.equal(h[:, 64:128], digit.features(x[:, 1:2]))
    assert p.shape == (600, 1000)
    assert p.sum(1).numpy() == pytest.approx(np.ones(600), abs=1e-5)
    assert torch.equal(p.argmax(1), triples.labels[:600])
    one = int(triples.labels[0])
    each = [digit.probabilities(x[:1, i : i + 1])[0, int(CLASSES[one][i])] for i in range(3)]
    assert float(p[0, one]) == pytest.approx(math.prod(map(float, each)), rel=1e-4)
    assert seen.on(CPU).accuracy == digit.accuracy


def test_other_data_have_no_judge_of_triples(triples):
    assert StackedJudge.of(triples.digits) is None
    assert StackedJudge.of(dataclasses.replace(triples, digits=None)) is None


# the metric


def test_real_triples_reach_the_modes_that_they_have(triples, home):
    exam = Exam(sight(pictures(triples)), sight(pictures(triples)), source=triples)
    assert StackedModes().refuses(exam) is None
    found = StackedModes()(exam)
    assert found["stacked_modes"].value == len(set(triples.labels.tolist()))
    assert found["stacked_kl"] == divergence(
        torch.bincount(triples.labels, minlength=1000).double()
    )


def test_a_collapsed_generator_has_one_mode_and_one_of_half_the_modes_half():
    found = told(torch.full((26_000,), 123))
    assert found["stacked_modes"] == (1, 0)
    assert found["stacked_kl"].value == pytest.approx(math.log(1000))
    half = torch.randint(500, (26_000,), generator=torch.Generator().manual_seed(0))
    assert told(half)["stacked_modes"].value == 500
    assert told(half)["stacked_kl"].value == pytest.approx(math.log(2) + 499 / 52_000, abs=0.004)


def test_what_is_missed_by_chance_is_in_the_error_of_the_modes():
    few = torch.randint(1000, (2000,), generator=torch.Generator().manual_seed(0))
    found = told(few)["stacked_modes"]
    assert found.value == pytest.approx(1000 * (1 - math.exp(-2)), abs=30)
    assert 5 < found.error < 20


@pytest.mark.parametrize("n", [260, 10_000, 26_000])
def test_less_than_independent_draws_come_to_is_refused(n):
    with pytest.raises(Untrue, match="not drawn independently"):
        told(torch.arange(n) % 1000)
    told(torch.randint(1000, (n,), generator=torch.Generator().manual_seed(0)))


def test_of_26000_a_kl_of_0_0185_can_be_and_one_of_0_012_can_not():
    """Half of the modes have so many more than their 26, half so many less."""
    signs = (-1) ** torch.arange(1000)
    for more, allowed in ((5, True), (4, False)):
        counts = 26 + more * signs
        numbers = torch.arange(1000).repeat_interleave(counts)
        assert divergence(counts.double()).value == pytest.approx((more / 26) ** 2 / 2, rel=0.05)
        if allowed:
            told(numbers)
        else:
            with pytest.raises(Untrue, match=r"KL 0\.01\d\d is less than that of 26,000"):
                told(numbers)


@pytest.mark.parametrize(("n", "floor"), FLOORS.items())
def test_real_triples_have_the_known_kl_and_its_error_is_right(n, floor):
    shares = torch.tensor(COUNTS) / sum(COUNTS)
    seen = []
    for seed in range(30):
        random = torch.Generator().manual_seed(seed)
        digits = torch.multinomial(shares, 3 * n, replacement=True, generator=random)
        seen.append(divergence(number(digits.view(n, 3)).bincount(minlength=1000).double()))
    values = np.array([one.value for one in seen])
    assert values.mean() == pytest.approx(floor, rel=0.03)
    assert np.mean([one.error for one in seen]) == pytest.approx(values.std(ddof=1), rel=0.4)


def test_it_says_of_what_it_can_be_asked(triples):
    x = torch.zeros(5, 3, 10, 10)
    asked = Exam(sight(x), sight(x), source=triples)
    metric = StackedModes()
    assert metric.refuses(asked) is None
    other = dataclasses.replace(asked, source=triples.digits)
    assert "dataset=stacked_mnist" in str(metric.refuses(other))
    assert "triples" in str(metric.refuses(dataclasses.replace(asked, fake=sight(x[:, :1]))))
    told = sight(x, torch.arange(5))
    assert metric.refuses(dataclasses.replace(asked, fake=told)) is None, "real ones have labels"
    generated = dataclasses.replace(asked, fake=told, maker=object())  # type: ignore[arg-type]
    assert "task=unconditional" in str(metric.refuses(generated))


@pytest.mark.training
def test_the_judge_of_real_digits_moves_the_floor_hardly(mnist_root, shared_cache, monkeypatch):
    """99.3 % of right digits are 98 % of right triples, and the wrong ones are spread evenly."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    source = StackedMNIST(str(mnist_root), "test", count=50_000).load()
    seen = StackedJudge.of(source)
    assert seen is not None
    read = seen.labels(pictures(source))
    assert source.labels is not None
    assert float((read == source.labels).float().mean()) > 0.97
    for n, floor in FLOORS.items():
        true = divergence(source.labels[:n].bincount(minlength=1000).double())
        assert true.value == pytest.approx(floor, abs=max(0.002, 4 * true.error))
        assert told(read[:n])["stacked_kl"].value == pytest.approx(true.value, abs=0.002)
        assert told(read[:n])["stacked_modes"].value == 1000
