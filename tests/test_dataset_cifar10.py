"""CIFAR-10: its pickles are read, never run; damaged files are named."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from gan_cli.dataset import cifar10
from gan_cli.dataset.cifar10 import CIFAR10
from gan_cli.dataset.fetch import file_sum
from gan_cli.errors import BadFile
from tests.faults.served import tree

N = 20


def batch_file(seed: int, start: bytes = b"\x80\x02}q\x01(") -> tuple[bytes, np.ndarray]:
    """A batch of CIFAR-10 as Python 2 pickled it: labels, pixels, names of files."""
    pixels = np.random.default_rng(seed).integers(0, 256, (N, 3072), np.uint8)
    labels = b"".join(b"K" + bytes([i % 10]) for i in range(N))
    size = pixels.size.to_bytes(4, "little")
    data = start + b"U\x0bbatch_labelq\x02U\x05batchq\x03U\x06labelsq\x04]q\x05("
    data += labels[:20] + b"e(" + labels[20:] + b"eU\x04dataq\x06"
    data += (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\t"
    )
    data += b"(K\x01K\x14M\x00\x0c\x86cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b"
    data += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + size
    data += pixels.tobytes() + b"tbU\tfilenamesq\x0c]q\rU\x05a.pngq\x0eau."
    return data, pixels.reshape(-1, 3, 32, 32)


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A tiny CIFAR-10 under tmp_path; its training images."""
    folder = tmp_path / cifar10.FOLDER
    folder.mkdir()
    parts = [batch_file(seed) for seed in range(6)]
    for name, (data, _) in zip(cifar10.MD5, parts, strict=True):
        (folder / name).write_bytes(data)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        monkeypatch.setitem(cifar10.MD5, name, md5)
    return np.concatenate([images for _, images in parts[:5]])


@pytest.mark.parametrize("packed", [False, True])
def test_cifar10_is_read_where_it_lies(
    cifar: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
):
    if packed:
        with tarfile.open(tmp_path / cifar10.ARCHIVE, "w:gz") as archive:
            archive.add(tmp_path / cifar10.FOLDER, cifar10.FOLDER)
        shutil.rmtree(tmp_path / cifar10.FOLDER)
        monkeypatch.setattr(cifar10, "SHA256", file_sum(tmp_path / cifar10.ARCHIVE))
    before = tree(tmp_path)
    source = CIFAR10(str(tmp_path)).load()
    assert tree(tmp_path) == before
    assert np.array_equal(source.images.numpy(), cifar)
    assert source.labels is not None
    assert source.labels.tolist() == [i % 10 for _ in range(5) for i in range(N)]
    assert source.classes[3] == "cat"


def test_damaged_cifar10_is_named(cifar: np.ndarray, tmp_path: Path):
    path = tmp_path / cifar10.FOLDER / "data_batch_2"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadFile, match=r"data_batch_2 is damaged.*Delete it"):
        CIFAR10(str(tmp_path)).load()


def test_a_cut_cifar10_archive_is_named(cifar: np.ndarray, tmp_path: Path):
    shutil.rmtree(tmp_path / cifar10.FOLDER)
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    (tmp_path / cifar10.ARCHIVE).write_bytes(whole.getvalue()[:-20])
    with pytest.raises(BadFile, match=r"cifar-10-python\.tar\.gz is damaged"):
        CIFAR10(str(tmp_path)).load()


def test_a_pickle_is_read_and_never_run(tmp_path: Path):
    mark = tmp_path / "ran"
    hostile = b"\x80\x02cos\nsystem\nU" + bytes([len(f"touch {mark}")])
    data, pixels = batch_file(0, hostile + f"touch {mark}".encode() + b"\x85R0}(")
    images, _ = cifar10.parse(data)
    assert np.array_equal(images, pixels)
    assert not mark.exists()
    for junk in (b"", b"no pickle", data[:200], b"\x80\x02}."):
        with pytest.raises(ValueError):  # noqa: PT011 (pickletools has many words for it)
            cifar10.parse(junk)
