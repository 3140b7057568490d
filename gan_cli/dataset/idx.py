"""Data sets in the four files of MNIST: images and labels, to train on and to test on."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_cli.dataset.fetch import Remote, fetch, file_sum, torchvision_datasets
from gan_cli.dataset.listing import is_file, opened
from gan_cli.dataset.source import Resident
from gan_cli.errors import BadFile

PARTS = {"train": ("train", 60_000), "test": ("t10k", 10_000)}
"""The splits: how their files are called, and how many images they hold."""

_SUMS = "SHA256SUMS"
_BLANK = 10
_LONG = 1 << 16


@dataclass(frozen=True)
class Family:
    """A data set that torchvision knows by `name` and keeps in ROOT/name/raw.

    Files are checked against `sha256` of their unpacked contents; where it says nothing, against
    the sums that were written down when they were downloaded, and for what such a set must be.
    `packed` are the SHA-256 of the files that are downloaded.
    """

    name: str
    classes: tuple[str, ...]
    sha256: Mapping[str, str]
    packed: Mapping[str, str] = field(default_factory=dict)

    def load(self, root: str, split: str) -> Resident:
        """The images 1×28×28 and labels of a split; downloaded first where they are missing.

        Nothing is written when the files are there. Raises BadFile for damaged ones, and
        UserMistake when there are none and no way to fetch them.
        """
        base = Path(root).expanduser()
        folder = base / self.name / "raw"
        prefix, length = PARTS[split]
        names = [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"]

        def ready() -> bool:
            return all(_there(folder / name) for name in names)

        if not ready():
            self._fetch(base, folder, ready)
        sums = {**_recorded(folder), **self.sha256}
        images = self._read(folder / names[0], (length, 28, 28), sums)
        labels = self._read(folder / names[1], (length,), sums)
        self._check(folder / names[0], images, folder / names[1], labels)
        return Resident.of(
            torch.from_numpy(images)[:, None], torch.from_numpy(labels).long(), self.classes
        )

    def _read(
        self, path: Path, shape: tuple[int, ...], sums: Mapping[str, str]
    ) -> NDArray[np.uint8]:
        try:
            return read(path, shape, sums.get(path.name))
        except (ValueError, EOFError, OSError, zlib.error, MemoryError) as error:
            raise _damaged(_there(path) or path, self.name, str(error)) from error

    def _check(
        self, pictures: Path, images: NDArray[np.uint8], names: Path, labels: NDArray[np.uint8]
    ) -> None:
        counts = np.bincount(labels, minlength=len(self.classes))
        if len(counts) != len(self.classes) or not counts.all():
            raise _damaged(names, self.name, f"its labels are not those of {self.classes}")
        blank = int((images.reshape(len(images), -1).max(1) < 1).sum())
        if blank > _BLANK:
            raise _damaged(pictures, self.name, f"{blank} of its images are black")

    def _fetch(self, base: Path, folder: Path, ready: Callable[[], bool]) -> None:
        known = getattr(torchvision_datasets(), self.name)
        files = [file for file, _ in known.resources]

        def download(temporary: Path) -> None:
            known(str(temporary), download=True)
            raw = temporary / self.name / "raw"
            sums = {path.name: file_sum(path) for path in sorted(raw.glob("*-ubyte"))}
            for name, wanted in self.sha256.items():
                if sums.get(name, wanted) != wanted:
                    raise ValueError(f"{name} came with other contents than {self.name} has")
            (raw / _SUMS).write_text("".join(f"{s}  {name}\n" for name, s in sums.items()))

        remote = Remote(self.name, folder, files, known.mirrors, self.packed)
        fetch(base, remote, ready, download)


def read(path: Path, shape: tuple[int, ...], sha256: str | None) -> NDArray[np.uint8]:
    """The array in an idx file, plain or with .gz after its name; ValueError when not whole."""
    header = 4 + 4 * len(shape)
    size = header + math.prod(shape)
    plain = is_file(path)
    with opened(path if plain else packed(path)) as file:
        whole = file if plain else gzip.GzipFile(fileobj=file)
        raw = np.frombuffer(bytearray(whole.read(size + 1)), np.uint8)  # never what a bomb holds
    if len(raw) != size:
        raise ValueError(f"it has {'more' if len(raw) > size else len(raw)} bytes of {size}")
    if sha256 and hashlib.sha256(raw.data).hexdigest() != sha256:
        raise ValueError("its contents have changed (SHA-256)")
    if bytes(raw[:4]) != bytes([0, 0, 8, len(shape)]):
        raise ValueError("it has no idx header")
    if tuple(raw[4:header].view(">i4")) != shape:
        raise ValueError(f"its header speaks of {tuple(raw[4:header].view('>i4'))}, not {shape}")
    return raw[header:].reshape(shape)


def packed(path: Path) -> Path:
    """Where the file lies as it is downloaded."""
    return path.with_name(f"{path.name}.gz")


def _there(path: Path) -> Path | None:
    return next((candidate for candidate in (path, packed(path)) if is_file(candidate)), None)


def _recorded(folder: Path) -> dict[str, str]:
    """Sums that were written down; nothing where they can't be read, as for files put there."""
    try:
        with opened(folder / _SUMS) as file:
            lines = file.read(_LONG).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {words[1]: words[0] for line in lines if len(words := line.split()) == 2}


def _damaged(path: Path, name: str, why: str) -> BadFile:
    return BadFile(
        f"{path} is damaged: {why}. Delete it and run the same command again, which downloads "
        f"{name} anew, or put a good copy in its place"
    )
