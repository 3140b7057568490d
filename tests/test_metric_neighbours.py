"""Nearest training images, and whether copies of them are told from new ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_cli.dataset.digits import Digits
from gan_cli.dataset.mixture import Mixture
from gan_cli.dataset.mnist import MNIST
from gan_cli.dataset.source import Resident
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import UserMistake
from gan_cli.metric import neighbours
from gan_cli.metric.neighbours import Memorised, memorised, nearest, take
from gan_cli.neighbours_report import draw


def noise(n: int, seed: int, shape: tuple[int, ...] = (1, 6, 5), mirror: bool = False) -> Resident:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, *shape), generator=generator).to(torch.uint8)
    return Resident.of(images, None, (), mirror)


def all_of(source: Resident) -> Tensor:
    return take(source, torch.arange(source.length))


def brute(x: Tensor, y: Tensor) -> Tensor:
    return (x[:, None].double() - y[None].double()).square().flatten(2).mean(2).sqrt()


@pytest.mark.parametrize("chunk", [3, 7, 50, 2048])
def test_the_nearest_are_those_of_all_pairs(chunk: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(neighbours, "CHUNK", chunk)
    images, x = noise(50, 0), all_of(noise(9, 1))
    distance, numbers = brute(x, all_of(images)).sort(1)
    found = nearest(x, images, 4)
    assert torch.equal(found.numbers, numbers[:, :4])
    assert torch.allclose(found.distance, distance[:, :4])


def test_a_copy_is_at_distance_zero():
    images = noise(50, 0, (3, 16, 16))
    found = nearest(all_of(images)[[3, 40]], images, 2)
    assert found.numbers[:, 0].tolist() == [3, 40]
    assert found.distance[:, 0].tolist() == [0, 0]


def test_white_against_black_is_two():
    black = Resident.of(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), None, ())
    assert nearest(torch.ones(1, 3, 4, 4), black).distance.tolist() == [[2]]


def test_what_is_mirrored_in_training_is_found_mirrored():
    images, x = noise(30, 0, mirror=True), all_of(noise(30, 0))
    assert nearest(x.flip(-1), images).distance.abs().max() == 0
    assert nearest(x, images).distance.abs().max() == 0
    assert nearest(x.flip(-1), noise(30, 0)).distance.min() > 0


def test_streamed_images_have_the_same_neighbours():
    images, x = noise(30, 0), all_of(noise(5, 1))
    stream = Streamed(images.images, None, 30, images.shape, (), "0", workers=0)
    assert torch.equal(nearest(x, stream, 3).numbers, nearest(x, images, 3).numbers)


def test_there_are_no_more_neighbours_than_images():
    assert nearest(all_of(noise(5, 1)), noise(3, 0), 9).numbers.shape == (5, 3)


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match="samples of"):
        nearest(torch.zeros(1, 1, 5, 5), noise(3, 0))


def halves() -> tuple[Resident, Tensor, Tensor]:
    """Digits to train on, and two sets of held-out ones."""
    test = all_of(Digits("test").load())
    return Digits("train").load(), test[::2], test[1::2]


def test_held_out_images_are_no_copies():
    train, new, held_out = halves()
    seen = memorised(new, train, held_out)
    assert not seen.copied
    assert not seen.far
    assert abs(seen.z) < 3
    assert seen.nearer == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("disturbed", [0.0, 0.05])
def test_copies_are_caught(disturbed: float):
    train, new, held_out = halves()
    copies = all_of(train)[: len(new)]
    copies = copies + disturbed * torch.randn(
        copies.shape, generator=torch.Generator().manual_seed(0)
    )
    seen = memorised(copies, train, held_out)
    assert seen.copied
    assert seen.z < -10
    assert seen.nearer > 0.95
    assert seen.ratio < 0.3


def test_a_few_copies_among_new_images_are_caught():
    train, new, held_out = halves()
    assert memorised(torch.cat([new, all_of(train)[:25]]), train, held_out).copied


def test_noise_is_far_not_copied():
    train, new, held_out = halves()
    z = torch.rand(new.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    seen = memorised(z, train, held_out)
    assert seen.far
    assert not seen.copied
    assert seen.z > 10
    assert seen.ratio > 2


def test_held_out_images_that_are_copies_themselves_say_so():
    seen = Memorised.of(torch.ones(9), torch.zeros(9))
    assert seen.ratio == float("inf")
    with pytest.raises(ValueError, match="0 held-out"):
        Memorised.of(torch.ones(9), torch.zeros(0))


def test_the_report_shows_each_sample_beside_its_copy():
    train, new, _ = halves()
    x = torch.cat([all_of(train)[:2], new[:30]])
    picture, text = draw(x, train, Digits("test").load())
    assert picture.ndim == 3
    assert text.startswith("copies")
    assert "z = " in text
    tile = (64, 64)  # eight times the pixels of a digit
    first = picture[3 : 3 + tile[0], 3 : 3 + tile[1]]
    left = 2 * 3 + tile[1] + 6 + 3
    assert (first == picture[3 : 3 + tile[0], left : left + tile[1]]).all()


def test_the_report_without_held_out_images_says_how_near():
    train, new, _ = halves()
    _, text = draw(new, train)
    assert "180 samples" in text
    assert "median" in text


def test_the_report_refuses_what_cannot_be_compared():
    train, _, _ = halves()
    with pytest.raises(UserMistake, match="1×9×9"):
        draw(torch.zeros(1, 1, 9, 9), train)
    with pytest.raises(UserMistake, match="drawn anew"):
        draw(torch.zeros(1, 1), Mixture().load())


@pytest.mark.training
def test_mnist_against_its_test_split(mnist_root: Path):
    train, test = MNIST(str(mnist_root)).load(), MNIST(str(mnist_root), "test").load()
    new = take(test, torch.arange(1000))
    held_out = take(test, torch.arange(1000, 2000))
    assert abs(memorised(new, train, held_out).z) < 4
    assert memorised(take(train, torch.arange(1000)), train, held_out).copied
