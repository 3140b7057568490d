"""Public data sets: read where they lie, fetched whole or not at all, refused with the ways out."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from gan_cli.dataset import fetch
from gan_cli.dataset.cifar10 import CIFAR10
from gan_cli.dataset.fashion_mnist import FashionMNIST
from gan_cli.dataset.kmnist import KMNIST
from gan_cli.dataset.mnist import MNIST
from gan_cli.errors import BadFile, DiskFailure, UserMistake
from tests.faults.served import ONCE, N, Server, idx_files, left, serving, tree


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(monkeypatch) as server:
        yield server


def test_missing_files_are_fetched_once(server: Server, tmp_path: Path):
    source = KMNIST(str(tmp_path / "deep" / "root")).load()
    assert (source.shape, source.length, source.classes[0]) == ((1, 28, 28), N, "o")
    assert server.gets == ONCE
    assert KMNIST(str(tmp_path / "deep" / "root"), "test").load().length == N
    assert server.gets == ONCE
    assert sorted(left(tmp_path)) == sorted(["SHA256SUMS", *idx_files()])


def test_what_was_fetched_and_then_damaged_is_named(server: Server, tmp_path: Path):
    KMNIST(str(tmp_path)).load()
    path = tmp_path / "KMNIST/raw/train-images-idx3-ubyte"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadFile, match=r"train-images-idx3-ubyte is damaged.*Delete it"):
        KMNIST(str(tmp_path)).load()
    path.unlink()
    assert KMNIST(str(tmp_path)).load().length == N


def test_the_names_of_real_files_are_told_when_there_is_no_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    closed = Server({})
    closed.close()
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, closed.url)
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    for kind, file in (
        (MNIST, "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz"),
        (FashionMNIST, "amazonaws.com/train-images-idx3-ubyte.gz"),
        (CIFAR10, "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"),
    ):
        with pytest.raises(UserMistake) as caught:
            kind(str(tmp_path)).load()
        assert file in str(caught.value)
    assert left(tmp_path) == []


def test_a_root_that_can_not_be_written_is_refused_alike(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserMistake, match="data_root=DIRECTORY"):
        MNIST(str(tmp_path / "file" / "root")).load()


def test_a_full_disk_is_the_disks_failure(server: Server, tmp_path: Path):
    def full(directory: Path):
        raise OSError(errno.ENOSPC, "No space left on device")

    remote = fetch.Remote("KMNIST", tmp_path, ["a.gz"], [server.url], {})
    with pytest.raises(DiskFailure, match="No space left"):
        fetch.fetch(tmp_path, remote, lambda: False, full)


def test_packed_files_will_do(server: Server, tmp_path: Path):
    folder = tmp_path / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, data in server.files.items():
        (folder / name).write_bytes(data)
    before = tree(tmp_path)
    assert KMNIST(str(tmp_path)).load().length == N
    assert tree(tmp_path) == before
    assert server.gets == 0


def test_a_home_directory_may_be_abbreviated(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    KMNIST("~/data").load()
    assert (tmp_path / "data" / "KMNIST").is_dir()


@pytest.mark.parametrize(("split", "length"), [("train", 60_000), ("test", 10_000)])
def test_mnist_is_read_and_nothing_is_written(mnist_root: Path, split: str, length: int):
    before = tree(mnist_root)
    source = MNIST(str(mnist_root), split).load()
    assert tree(mnist_root) == before
    assert (source.shape, source.length, len(source.classes)) == ((1, 28, 28), length, 10)
    assert source.labels is not None
    assert source.labels[:4].tolist() == {"train": [5, 0, 4, 1], "test": [7, 2, 1, 0]}[split]
    assert source.open(64, 0, torch.device("cpu"))(0).x.shape == (64, 1, 28, 28)


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST, KMNIST, CIFAR10])
def test_a_split_is_train_or_test(kind: Callable[..., object]):
    with pytest.raises(ValueError, match="split is one of train, test, not tset"):
        kind(split="tset")
