"""The judge of a data set: how good it is, what it may touch, and how it is kept."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch

from gan_cli.dataset.digits import Digits
from gan_cli.dataset.mixture import Mixture
from gan_cli.dataset.mnist import MNIST
from gan_cli.dataset.source import Resident
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import UserMistake
from gan_cli.metric import judge as judges
from gan_cli.metric import judge_net
from gan_cli.metric.classes import class_shares, entropy
from gan_cli.metric.judge import Judge
from gan_cli.metric.labels import right

CPU = torch.device("cpu")


def stripes(n: int = 60, seed: int = 0, shape: tuple[int, ...] = (1, 8, 8)) -> Resident:
    """Two classes that anything can tell apart: bright on the left, bright on the right."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    images = torch.randint(0, 60, (n, *shape), generator=generator)
    half = shape[2] // 2
    images[labels == 0, :, :, :half] += 150
    images[labels == 1, :, :, half:] += 150
    return Resident.of(images.to(torch.uint8), labels, ("left", "right"))


def streamed(source: Resident) -> Streamed:
    """The same images, read one at a time."""
    assert source.labels is not None
    return Streamed(
        source.images, source.labels, source.length, source.shape, source.classes, "0", workers=0
    )


def pictures(source: Resident) -> torch.Tensor:
    return source.images.float() / 127.5 - 1


def accuracy(judge: Judge, x: torch.Tensor, c: torch.Tensor) -> float:
    return float(right(judge.labels(x), c).float().mean())


def test_it_tells_easy_classes_apart(tmp_path: Path):
    judge, new = Judge.of(stripes(), cache=tmp_path), stripes(seed=1)
    assert (judge.accuracy, judge.held_out, judge.notes) == (1.0, 6, ())
    assert new.labels is not None
    assert torch.equal(judge.labels(pictures(new)), new.labels)
    assert accuracy(judge, pictures(new), new.labels) == 1.0
    assert accuracy(judge, pictures(new), 1 - new.labels) == 0.0


def test_its_answers_are_those_of_each_image_by_itself(tmp_path: Path):
    judge, x = Judge.of(stripes(), cache=tmp_path), pictures(stripes(1100, seed=2))
    h, p = judge.features(x), judge.probabilities(x)
    assert (h.shape, p.shape) == ((1100, 64), (1100, 2))
    assert torch.allclose(p.sum(1), torch.ones(1100))
    assert torch.equal(p.argmax(1), judge.labels(x))
    assert torch.equal(judge.features(x[700:701]), h[700:701])
    assert not h.requires_grad


def test_it_says_how_good_it_is(tmp_path: Path):
    said = Judge.of(stripes(), cache=tmp_path).said
    assert said.endswith("100.0 % right on 6 images that it has not learnt from")


def test_random_numbers_gradients_and_modes_are_left_alone(tmp_path: Path):
    before = torch.random.get_rng_state()
    with torch.no_grad():
        trained = Judge.of(stripes(), cache=tmp_path)
        read = Judge.of(stripes(), cache=tmp_path)
        assert not torch.is_grad_enabled()
    trained.labels(pictures(stripes()))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert read.sha256 == trained.sha256


def test_it_is_a_function_of_data_and_seed_not_of_the_global_random_numbers():
    torch.manual_seed(1)
    first = Judge.train(stripes())
    torch.manual_seed(2)
    assert Judge.train(stripes()).sha256 == first.sha256
    assert Judge.train(stripes(), seed=1).sha256 != first.sha256


def test_the_second_time_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    judge = Judge.of(stripes(), cache=tmp_path)
    monkeypatch.setattr(judge_net, "train", None)  # would fail
    again, x = Judge.of(stripes(), cache=tmp_path), pictures(stripes(seed=3))
    assert torch.equal(again.features(x), judge.features(x))
    assert (again.accuracy, again.held_out, again.notes) == (judge.accuracy, judge.held_out, ())


@pytest.mark.parametrize("other", ["data", "seed", "mirror", "recipe"])
def test_other_data_seeds_and_recipes_have_judges_of_their_own(
    other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source, seed = stripes(), 0
    judge = Judge.of(source, seed, tmp_path)
    if other == "data":
        source = stripes(seed=9)
    elif other == "seed":
        seed = 1
    elif other == "mirror":
        source = Resident.of(source.images, source.labels, source.classes, mirror=True)
    else:
        monkeypatch.setattr(judge_net, "RECIPE", judge_net.RECIPE + 1)
    later = Judge.of(source, seed, tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    assert other == "recipe" or later.sha256 != judge.sha256


@pytest.mark.parametrize("content", [b"", b"\x80\x02}.", b"{", None])
def test_a_broken_file_is_trained_again_and_said_so(content: bytes | None, tmp_path: Path):
    judge = Judge.of(stripes(), cache=tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1] if content is None else content)
    again = Judge.of(stripes(), cache=tmp_path)
    assert again.sha256 == judge.sha256
    assert "trained anew" in again.notes[0]
    assert Judge.of(stripes(), cache=tmp_path).notes == ()


def test_the_file_of_another_judge_is_not_taken_for_it(tmp_path: Path):
    mine = Judge.of(stripes(), cache=tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    Judge.of(stripes(seed=5), cache=tmp_path / "other")
    (theirs,) = (tmp_path / "other").glob("*.safetensors")
    path.write_bytes(theirs.read_bytes())
    again = Judge.of(stripes(), cache=tmp_path)
    assert again.sha256 == mine.sha256
    assert "something else" in again.notes[0]


def test_where_nothing_can_be_written_it_is_trained_and_said_so(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    judge = Judge.of(stripes(), cache=tmp_path / "file")
    assert judge.accuracy == 1
    assert "not kept" in judge.notes[0]


def test_it_is_kept_in_the_users_cache_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert judges.home() == tmp_path / "gan" / "judge"
    Judge.of(stripes())
    assert list((tmp_path / "gan" / "judge").glob("judge-*.safetensors"))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert judges.home() == tmp_path / ".cache" / "gan" / "judge"


def _train(directory: str) -> str:
    torch.set_num_threads(1)
    return Judge.of(stripes(), cache=Path(directory)).sha256


def test_two_processes_at_once_agree(tmp_path: Path):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        first, second = pool.map(_train, [str(tmp_path)] * 2)
    assert first == second
    assert [path.suffix for path in tmp_path.iterdir()].count(".safetensors") == 1
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 12, 20), (3, 33, 33), (2, 8, 100), (4, 9, 9)])
def test_any_size_and_number_of_channels(shape: tuple[int, ...]):
    source = stripes(40, shape=shape)
    judge = Judge.train(source)
    assert judge.accuracy == 1
    assert judge.features(pictures(source)).shape == (40, 64)


def test_images_that_are_streamed_have_the_same_judge():
    assert Judge.train(streamed(stripes())).sha256 == Judge.train(stripes()).sha256


def test_large_images_are_shrunk_first():
    net = judge_net.JudgeNet((3, 512, 256), 2)
    assert net.size == (64, 32)


def test_what_has_no_labels_or_is_no_image_has_no_judge():
    with pytest.raises(UserMistake, match="shape"):
        Judge.train(Mixture().load())
    with pytest.raises(UserMistake, match="labels"):
        Judge.train(Resident.of(stripes().images, None, ()))
    with pytest.raises(UserMistake, match="10 images"):
        Judge.train(stripes(9))


def test_samples_of_another_shape_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="8"):
        Judge.of(stripes(), cache=tmp_path).labels(torch.zeros(2, 1, 9, 9))


def test_samples_without_labels_are_left_out(tmp_path: Path):
    judge, x = Judge.of(stripes(), cache=tmp_path), pictures(stripes())
    c = judge.labels(x)
    c[10:] = -1
    assert accuracy(judge, x, c) == 1
    with pytest.raises(ValueError, match="0 labels"):
        accuracy(judge, x, torch.full_like(c, -1))


def test_entropy_of_classes():
    assert entropy(class_shares(torch.arange(10), 10)) == pytest.approx(2.302585093)  # log 10
    assert entropy(class_shares(torch.zeros(7, dtype=torch.int64), 10)) == 0
    assert entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]])) == pytest.approx(0.34657359)


@pytest.mark.training
def test_digits_are_told_apart(tmp_path: Path):
    judge, test = Judge.of(Digits("train").load(), cache=tmp_path), Digits("test").load()
    assert test.labels is not None
    assert judge.accuracy >= 0.97
    assert accuracy(judge, pictures(test), test.labels) >= 0.97


@pytest.mark.training
def test_mnist_is_told_apart(mnist_root: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    judge = Judge.of(MNIST(str(mnist_root)).load())
    test = MNIST(str(mnist_root), "test").load()
    assert test.labels is not None
    assert judge.accuracy >= 0.988
    assert accuracy(judge, pictures(test), test.labels) >= 0.99
