"""Public data sets: read where they lie, fetched whole or not at all, refused with the ways out."""

from __future__ import annotations

import errno
import gzip
import hashlib
import multiprocessing
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli.dataset import fetch, idx
from gan_cli.dataset.cifar10 import CIFAR10
from gan_cli.dataset.fashion_mnist import FashionMNIST
from gan_cli.dataset.kmnist import KMNIST
from gan_cli.dataset.mnist import MNIST
from gan_cli.errors import BadFile, DiskFailure, UserMistake

N = 20
ONCE = 8  # torchvision asks for the address of each of four files, and then for the file
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def idx_files() -> dict[str, bytes]:
    """A tiny data set in MNIST's four files, unpacked."""
    files = {}
    for part in ("train", "t10k"):
        pixels = np.random.default_rng(len(part)).integers(1, 256, (N, 28, 28), np.uint8)
        header = np.array([N, 28, 28], ">i4").tobytes()
        files[f"{part}-images-idx3-ubyte"] = b"\0\0\x08\x03" + header + pixels.tobytes()
        labels = bytes(i % 10 for i in range(N))
        files[f"{part}-labels-idx1-ubyte"] = b"\0\0\x08\x01" + header[:4] + labels
    return files


class Server:
    """A web server on this machine; `reply` says what it does to a GET."""

    def __init__(self, files: dict[str, bytes]):
        self.files, self.gets, self.head = files, 0, 200
        self.change: Callable[[bytes], bytes] = lambda data: data
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                outer.answer(self, b"")

            def do_GET(self):
                outer.gets += 1
                outer.answer(self, outer.files.get(self.path.removeprefix("/"), b""))

            def log_message(self, *args: object):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler, data: bytes):
        if self.head == 0:  # silence
            time.sleep(1)
            return
        handler.send_response(self.head)
        if self.head == 302:
            handler.send_header("Location", self.url + "again")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(self.change(data))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves a tiny KMNIST, which torchvision is told to fetch."""
    datasets = fetch.torchvision_datasets()
    packed = {f"{name}.gz": gzip.compress(data, 1) for name, data in idx_files().items()}
    sums = [(n, hashlib.md5(data, usedforsecurity=False).hexdigest()) for n, data in packed.items()]
    server = Server(packed)
    monkeypatch.setattr(fetch, "PATIENCE", 0.5)
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [server.url])
    monkeypatch.setattr(datasets.KMNIST, "resources", sums)
    for name, (prefix, _) in idx.PARTS.items():
        monkeypatch.setitem(idx.PARTS, name, (prefix, N))
    yield server
    server.http.shutdown()
    server.http.server_close()


def tree(root: Path) -> dict[str, tuple[int, int]]:
    paths = sorted(path for path in root.rglob("*"))
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in paths}


def left(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"]


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


def silent(server: Server):
    server.head = 0


def broken(server: Server):
    server.head = 500


def circular(server: Server):
    server.head = 302


def closing(server: Server):
    server.change = lambda data: data[: len(data) // 2]


def wrong(server: Server):
    server.change = lambda data: data[:-1] + b"x"


def gone(server: Server):
    server.http.shutdown()
    server.http.server_close()


@pytest.mark.parametrize("fault", [silent, broken, circular, closing, wrong, gone])
def test_a_failing_server_leaves_nothing_and_the_ways_out_are_told(
    server: Server, tmp_path: Path, fault: Callable[[Server], None]
):
    fault(server)
    started = time.monotonic()
    with pytest.raises(UserMistake) as caught:
        KMNIST(str(tmp_path)).load()
    assert time.monotonic() - started < 5
    assert left(tmp_path) == []
    text = str(caught.value)
    assert str(tmp_path / "KMNIST" / "raw") in text
    assert all(f"{server.url}{name}.gz" in text for name in idx_files())
    assert all(way in text for way in ("network", "dataset=digits", "data_root=", "GAN_DATA="))


def test_the_names_of_real_files_are_told_when_there_is_no_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    closed = Server({})
    gone(closed)
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

    remote = fetch.Remote("KMNIST", tmp_path, ["a.gz"], [server.url])
    with pytest.raises(DiskFailure, match="No space left"):
        fetch.fetch(tmp_path, remote, lambda: False, full)


@forks
def test_processes_that_start_together_fetch_once(server: Server, tmp_path: Path):
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=KMNIST(str(tmp_path)).load) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 8
    assert server.gets == ONCE


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


def test_black_images_and_foreign_labels_are_noticed_without_sums(server: Server, tmp_path: Path):
    folder = tmp_path / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, data in idx_files().items():
        (folder / name).write_bytes(data)
    path = folder / "train-labels-idx1-ubyte"
    whole = path.read_bytes()
    for labels in (bytes(N), bytes([200]) * N):
        path.write_bytes(whole[:8] + labels)
        with pytest.raises(BadFile, match="labels"):
            KMNIST(str(tmp_path)).load()
    path.write_bytes(whole)
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:16] + bytes(N * 784))
    with pytest.raises(BadFile, match="20 of its images are black"):
        KMNIST(str(tmp_path)).load()


@pytest.mark.parametrize(("split", "length"), [("train", 60_000), ("test", 10_000)])
def test_mnist_is_read_and_nothing_is_written(mnist_root: Path, split: str, length: int):
    before = tree(mnist_root)
    source = MNIST(str(mnist_root), split).load()
    assert tree(mnist_root) == before
    assert (source.shape, source.length, len(source.classes)) == ((1, 28, 28), length, 10)
    assert source.labels is not None
    assert source.labels[:4].tolist() == {"train": [5, 0, 4, 1], "test": [7, 2, 1, 0]}[split]
    assert source.open(64, 0, torch.device("cpu"))(0).x.shape == (64, 1, 28, 28)


@pytest.mark.parametrize("harm", ["cut", "zeroed", "one bit"])
def test_damaged_mnist_is_named_with_the_fix(mnist_root: Path, tmp_path: Path, harm: str):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("images-idx3", "labels-idx1"):
        shutil.copyfile(mnist_root / f"MNIST/raw/t10k-{part}-ubyte", raw / f"t10k-{part}-ubyte")
    path = raw / "t10k-images-idx3-ubyte"
    data = path.read_bytes()
    flipped = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
    path.write_bytes({"cut": data[:-9], "zeroed": bytes(len(data)), "one bit": flipped}[harm])
    with pytest.raises(BadFile, match=r"t10k-images-idx3-ubyte is damaged[\s\S]*Delete it"):
        MNIST(str(tmp_path), "test").load()


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST, KMNIST, CIFAR10])
def test_a_split_is_train_or_test(kind: Callable[..., object]):
    with pytest.raises(ValueError, match="split is one of train, test, not tset"):
        kind(split="tset")
