"""Files of public data sets, and archives: damaged ones are named, hostile ones do nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_cli.dataset import archive, cifar10
from gan_cli.dataset.cifar10 import CIFAR10
from gan_cli.dataset.fetch import file_sum
from gan_cli.dataset.kmnist import KMNIST
from gan_cli.dataset.mnist import MNIST
from gan_cli.errors import BadFile, UserMistake
from tests.faults.served import N, Server, serving, tree, unpacked
from tests.hostile import within


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(monkeypatch) as server:
        yield server


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.fault(
    "D15", "damaged files of MNIST's kind", "cut, longer, zeroed, foreign labels, no sums"
)
def test_damaged_idx_files_are_named(server: Server, tmp_path: Path, packed: bool, tally):
    folder = unpacked(tmp_path)
    wholes = {path.name: path.read_bytes() for path in folder.iterdir()}
    pictures, labels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
    harms = {
        (pictures, wholes[pictures][:-9]): "bytes of",
        (pictures, wholes[pictures] + b"x"): "more bytes of",
        (pictures, b""): "empty|bytes of",
        (pictures, bytes(len(wholes[pictures]))): "no idx header",
        (pictures, wholes[pictures][:16] + bytes(N * 784)): "20 of its images are black",
        (
            pictures,
            wholes[pictures][:4] + b"\xff" * 12 + wholes[pictures][16:],
        ): "its header speaks",
        (labels, wholes[labels][:8] + bytes(N)): "labels are not those",
        (labels, wholes[labels][:8] + bytes([200]) * N): "labels are not those",
        (labels, wholes[labels][:8] + bytes([10, *range(10), *range(9)])): "labels are not those",
    }
    named = 0
    for (name, data), words in harms.items():
        path = folder / name
        path.unlink()
        path = path.with_name(f"{name}.gz") if packed else path
        path.write_bytes(gzip.compress(data, 1) if packed else data)
        with pytest.raises(BadFile, match=rf"{name}.* is damaged: .*({words})[\s\S]*Delete it"):
            KMNIST(str(tmp_path)).load()
        named += 1
        path.unlink()
        (folder / name).write_bytes(wholes[name])
    tally(len(harms), named, "which file, what is wrong with it, and that it may be deleted")


@pytest.mark.fault("D15", "MNIST with a bit flipped", "real MNIST, whose sums are known")
def test_damaged_mnist_is_named(mnist_root: Path, tmp_path: Path, tally):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("images-idx3", "labels-idx1"):
        name = f"t10k-{part}-ubyte"
        (raw / name).write_bytes((mnist_root / "MNIST/raw" / name).read_bytes())
    path = raw / "t10k-images-idx3-ubyte"
    data = path.read_bytes()
    flipped = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
    harms = (data[:-9], bytes(len(data)), flipped)
    for harm in harms:
        path.write_bytes(harm)
        with pytest.raises(BadFile, match=r"t10k-images-idx3-ubyte is damaged[\s\S]*Delete it"):
            MNIST(str(tmp_path), "test").load()
    tally(len(harms), len(harms), "which file, and that it may be deleted")


def _tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for entry, data in entries:
            archive.addfile(entry, io.BytesIO(data) if data else None)


def _entry(name: str, data: bytes = b"", **about: Any) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    for key, value in about.items():
        setattr(entry, key, value)
    return entry, data


WANTED = f"{cifar10.FOLDER}/data_batch_1"
HOSTILE: dict[str, list[tuple[tarfile.TarInfo, bytes]]] = {
    "a path with ..": [_entry("../canary", b"x")],
    "an absolute path": [_entry("/tmp/canary", b"x")],
    "a link out of it": [_entry(WANTED, type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "a link to itself": [_entry(WANTED, type=tarfile.SYMTYPE, linkname="data_batch_1")],
    "a hard link out of it": [_entry(WANTED, type=tarfile.LNKTYPE, linkname="../../etc/passwd")],
    "a hard link to itself": [_entry(WANTED, type=tarfile.LNKTYPE, linkname=WANTED)],
    "a pipe": [_entry(WANTED, type=tarfile.FIFOTYPE)],
    "a device": [_entry(WANTED, type=tarfile.CHRTYPE, devmajor=1, devminor=5)],
    "a directory": [_entry(WANTED, type=tarfile.DIRTYPE)],
    "a program that runs as root": [_entry(WANTED, b"#!/bin/sh\ntouch canary\n", mode=0o6777)],
    "64 MB in 64 kB": [_entry(WANTED, bytes(1 << 26))],
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.fault("H5", "a hostile archive of CIFAR-10", "in its place; then its sum is believed")
def test_a_hostile_archive_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, tally
):
    root = tmp_path / "data"
    root.mkdir()
    _tar(root / cifar10.ARCHIVE, *HOSTILE[name])
    before = tree(tmp_path)
    with within(10), pytest.raises(BadFile, match=r"tar\.gz is damaged: it is not the archive"):
        CIFAR10(str(root)).load()
    monkeypatch.setattr(cifar10, "SHA256", file_sum(root / cifar10.ARCHIVE))
    with within(10), pytest.raises(BadFile, match="is damaged: ") as caught:
        CIFAR10(str(root)).load()
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == before
    assert not Path("/tmp/canary").exists()
    tally(2, 2, "that it isn't the archive of CIFAR-10; it is never unpacked, only read from")


@pytest.mark.fault("H5", "a batch of CIFAR-10 with a payload", "a pickle that starts a command")
def test_a_hostile_pickle_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally):
    class Payload:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'canary'}",)

    data = pickle.dumps({"labels": [1, 2], "data": Payload()}, 2)
    (tmp_path / cifar10.FOLDER).mkdir()
    for name in cifar10.MD5:
        (tmp_path / cifar10.FOLDER / name).write_bytes(data)
    with pytest.raises(BadFile, match="are not those of CIFAR-10"):
        CIFAR10(str(tmp_path)).load()
    for name in cifar10.MD5:
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        monkeypatch.setitem(cifar10.MD5, name, md5)  # as if the sum were right
    with pytest.raises(BadFile, match=r"data_batch_1 is damaged: it has 2 labels and "):
        CIFAR10(str(tmp_path)).load()
    assert not (tmp_path / "canary").exists()
    tally(2, 2, "that it is damaged; its opcodes are read, and none is obeyed")


def _zip(path: Path, names: dict[str, bytes], lie: int = 0) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in names.items():
            packed.writestr(name, data)
        for info in packed.infolist():
            info.file_size = lie or info.file_size  # what the directory at the end will say


def _array(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    head = io.BytesIO()
    about = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, about)  # type: ignore[arg-type]
    return head.getvalue() + data


@pytest.mark.fault("H5", "hostile files of images", "objects, bombs, lies, pipes, a tar")
def test_hostile_arrays_are_refused(tmp_path: Path, tally):
    objects, pictures = np.array([print], object), _array((2, 4, 4, 3), bytes(96))
    np.savez(tmp_path / "objects.npz", images=objects)
    np.save(tmp_path / "objects.npy", objects)
    (tmp_path / "objects.npy").rename(tmp_path / "npy.npz")
    _zip(tmp_path / "a terabyte.npz", {"images.npy": pictures}, lie=1 << 40)
    _zip(tmp_path / "a lie.npz", {"images.npy": _array((1 << 20, 1 << 20, 4, 3))})
    _zip(tmp_path / "less.npz", {"images.npy": pictures}, lie=60)
    _zip(tmp_path / "names.npz", {"../images.npy": pictures, "images.npy/x": b""})
    _tar(tmp_path / "tar.npz", *HOSTILE["a path with .."])
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(objects))
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "link.npz").symlink_to("link.npz")
    (tmp_path / "directory.npz").mkdir()
    before, refused = tree(tmp_path), 0
    paths = sorted(tmp_path.iterdir())
    for path in paths:
        with within(5), pytest.raises((BadFile, UserMistake)) as caught:
            archive.read(path)
        refused += path.name in str(caught.value) and "\n" not in str(caught.value)
    assert tree(tmp_path) == before
    tally(len(paths), refused, "the file and why, in one line; nothing in it is unpickled")


@pytest.mark.fault("H5", "a bomb among MNIST's files", "300 MB of zeros in 300 kB")
def test_a_bomb_is_not_unpacked(server: Server, tmp_path: Path, tally):
    folder = unpacked(tmp_path)
    name = "train-images-idx3-ubyte"
    (folder / name).unlink()
    with gzip.open(folder / f"{name}.gz", "wb", 1) as file:
        for _ in range(30):
            file.write(bytes(10**7))
    tracemalloc.start()
    with pytest.raises(BadFile, match="is damaged: it has more bytes of"):
        KMNIST(str(tmp_path)).load()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20 * 2**20
    tally(1, 1, "that it has more bytes than it should; no more than these are unpacked")
