"""CIFAR-10."""

from __future__ import annotations

import hashlib
import pickletools
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_cli.dataset.fetch import Remote, fetch, file_sum, torchvision_datasets
from gan_cli.dataset.listing import is_file, opened
from gan_cli.dataset.source import Resident, check_choice
from gan_cli.errors import BadFile

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SHAPE = (3, 32, 32)
ARCHIVE = "cifar-10-python.tar.gz"
FOLDER = "cifar-10-batches-py"
SPLITS = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
"""Of the archive."""

LARGEST = 1 << 25
"""Bytes of a batch file, at most; they have 31,035,999 and fewer."""

_LABELS = {"labels"}
_SMALL_INTEGER = {"BININT1"}


@dataclass(frozen=True)
class CIFAR10:
    """Photographs of ten kinds, 3×32×32, with labels: 50000 to train on and 10000 to test on.

    Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """

    root: str = "~/.cache/gan"
    split: str = "train"
    mirror: bool = False

    def __post_init__(self) -> None:
        check_choice("split", self.split, SPLITS)

    def load(self) -> Resident:
        """The split, from ROOT/cifar-10-batches-py or the archive beside it, else downloaded.

        Nothing is written when the files are there. Raises BadFile for damaged ones, and
        UserMistake when there are none and no way to fetch them.
        """
        base = Path(self.root).expanduser()
        names = SPLITS[self.split]

        def ready() -> bool:
            return _unpacked(base, names) or is_file(base / ARCHIVE)

        if not ready():
            _fetch(base, ready)
        parts = [_part(base, name, data) for name, data in _contents(base, names).items()]
        images = np.concatenate([images for images, _ in parts])
        labels = np.concatenate([labels for _, labels in parts])
        return Resident.of(
            torch.from_numpy(images), torch.from_numpy(labels), CLASSES, mirror=self.mirror
        )


def parse(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images `(N, 3, 32, 32)` and labels `(N,)` of a batch file, which is a pickle.

    Its opcodes are read, never run: the labels are the small numbers after the word `labels`, the
    pixels are the one string that is long enough. Raises ValueError for anything else.
    """
    labels: list[int] = []
    pixels, reading = "", False
    for opcode, value, _ in pickletools.genops(data):
        if isinstance(value, str):
            reading = value in _LABELS
            pixels = max(pixels, value, key=len)
        elif reading and isinstance(value, int) and opcode.name in _SMALL_INTEGER:
            labels.append(value)
    images = np.frombuffer(bytearray(pixels.encode("latin-1")), np.uint8)
    if not labels or len(images) != len(labels) * np.prod(SHAPE):
        raise ValueError(f"it has {len(labels)} labels and {len(images)} bytes of pixels")
    return images.reshape(-1, *SHAPE), np.array(labels, np.int64)


def _unpacked(base: Path, names: tuple[str, ...]) -> bool:
    return all(is_file(base / FOLDER / name) for name in names)


def _contents(base: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    if _unpacked(base, names):
        return {name: _bytes(base / FOLDER / name) for name in names}
    try:
        if file_sum(base / ARCHIVE) != SHA256:  # before anything in it is believed
            raise ValueError("it is not the archive of CIFAR-10, or not all of it (SHA-256)")
        with tarfile.open(base / ARCHIVE) as archive:
            return {name: _member(archive, f"{FOLDER}/{name}") for name in names}
    except (tarfile.TarError, zlib.error, KeyError, EOFError, OSError, ValueError) as error:
        raise _damaged(base / ARCHIVE, str(error)) from error


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    """A file of the archive; ValueError where there is no plain one of that name."""
    entry = archive.getmember(name)
    file = archive.extractfile(entry) if entry.isreg() and entry.size <= LARGEST else None
    if file is None:
        raise ValueError(f"{name} is no file in it")
    return file.read()


def _bytes(path: Path) -> bytes:
    try:
        with opened(path) as file:
            return file.read(LARGEST)
    except OSError as error:
        raise _damaged(path, str(error)) from error


def _part(base: Path, name: str, data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    path = base / FOLDER / name
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != MD5[name]:
        raise _damaged(path, f"its {len(data)} bytes are not those of CIFAR-10 (MD5)")
    try:
        return parse(data)
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _fetch(base: Path, ready: Callable[[], bool]) -> None:
    datasets = torchvision_datasets()
    known = datasets.CIFAR10
    mirror = known.url.removesuffix(known.filename)

    def download(temporary: Path) -> None:
        datasets.utils.download_and_extract_archive(
            known.url, str(temporary), filename=known.filename, md5=known.tgz_md5
        )
        for name, md5 in MD5.items():
            data = (temporary / FOLDER / name).read_bytes()
            if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
                raise ValueError(f"{name} came with other contents than CIFAR-10 has")

    remote = Remote("CIFAR-10", base, [known.filename], [mirror], {known.filename: SHA256})
    fetch(base, remote, ready, download)


def _damaged(path: Path, why: str) -> BadFile:
    return BadFile(
        f"{path} is damaged: {why}. Delete it and run the same command again, which downloads "
        "CIFAR-10 anew, or put a good copy in its place"
    )
