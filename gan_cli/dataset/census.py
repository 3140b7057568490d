"""What is in a directory of images, file by file: sizes, kinds, copies, and what is broken."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import adaptive_avg_pool2d

from gan_cli.dataset.decode import FAULTS, FORMATS, Decode
from gan_cli.dataset.listing import KINDS, Listing, opened
from gan_cli.dataset.survey import cores, quiet, read, unlike

COMPARED = 20_000
"""Images among which near copies are looked for, at most: every pair is compared."""

SIDE = 16
"""Pixels of a side of the grey miniatures that are compared."""

NEAR = 4.0
"""The root mean square difference of two miniatures of the same picture, in levels of 255."""

NEAR_SHARE = 0.1
"""The same as a share of their contrast: flat pictures are not copies of each other."""

_ORIENTATION = 0x0112
_LYING = range(5, 9)


@dataclass(frozen=True)
class Seen:
    """What one file showed: Pillow's names of its kind and mode, (height, width) before resizing.

    `why` it can't be used, or ''. `digest`: of its pixels as D would see them. `small`: these in
    grey, 16×16. Of what can't be read, all but the name and `why` are empty.
    """

    name: str
    why: str = ""
    kind: str = ""
    mode: str = ""
    size: tuple[int, int] = (0, 0)
    digest: bytes = b""
    small: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Census:
    """All files of a listing, and the shape that their images have after decoding."""

    files: tuple[Seen, ...]
    shape: tuple[int, ...]

    @cached_property
    def good(self) -> tuple[Seen, ...]:
        """The images that can be used."""
        return tuple(file for file in self.files if not file.why)

    @cached_property
    def broken(self) -> tuple[Seen, ...]:
        """The files that can't be used."""
        return tuple(file for file in self.files if file.why)

    @cached_property
    def copies(self) -> list[tuple[str, str]]:
        """(a copy, the first of its kind): names of images of exactly the same pixels."""
        first: dict[bytes, str] = {}
        pairs = ((file.name, first.setdefault(file.digest, file.name)) for file in self.good)
        return [(name, original) for name, original in pairs if name != original]

    @cached_property
    def near(self) -> list[tuple[str, str]] | None:
        """(an image, one before it): nearly the same picture, such as one saved twice.

        None where there are too many to compare them all.
        """
        known = dict(self.copies)
        files = [file for file in self.good if file.name not in known]
        if len(files) > COMPARED:
            return None
        return [(files[i].name, files[j].name) for i, j in _near([file.small for file in files])]


@dataclass(frozen=True)
class Strangers:
    """What a listing passes over: other files by their endings, hidden ones, linked directories."""

    endings: Counter[str]
    hidden: int
    linked: int


def census(listing: Listing, decode: Decode) -> Census:
    """Every image of the listing decoded and looked at, on every core."""
    with quiet(), ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(lambda name: _look(listing.root / name, name, decode), listing.names))
    shapes = [shape for _, shape in found if shape]
    shape = (decode.channels, *decode.size) if decode.size else next(iter(shapes), ())
    files = [
        Seen(seen.name, unlike(own, shape)) if own and own != shape else seen for seen, own in found
    ]
    return Census(tuple(files), shape)


def strangers(root: Path) -> Strangers:
    """What is there besides images."""
    endings: Counter[str] = Counter()
    hidden = linked = 0
    for folder, folders, files in os.walk(root):
        hidden += sum(name.startswith(".") for name in [*folders, *files])
        folders[:] = [name for name in folders if not name.startswith(".")]
        linked += sum(Path(folder, name).is_symlink() for name in folders)
        shown = [Path(name).suffix.lower() for name in files if not name.startswith(".")]
        endings.update(ending for ending in shown if ending not in KINDS)
    return Strangers(endings, hidden, linked)


def _look(path: Path, name: str, decode: Decode) -> tuple[Seen, tuple[int, ...]]:
    pixels, mode, why = read(path, decode)
    if pixels is None:
        return Seen(name, why), ()
    try:
        with opened(path) as file, Image.open(file, formats=FORMATS) as image:
            kind, mode, (width, height) = str(image.format), image.mode, image.size
            if image.getexif().get(_ORIENTATION) in _LYING:
                width, height = height, width
    except FAULTS:
        return Seen(name, "changed while it was looked at"), ()
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
    return Seen(name, "", kind, mode, (height, width), digest, _small(pixels)), pixels.shape


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    colours = pixels[: len(pixels) - (len(pixels) + 1) % 2]  # without the alpha of 2 or 4 channels
    grey = torch.from_numpy(colours).float().mean(0, keepdim=True)
    small: NDArray[np.float32] = adaptive_avg_pool2d(grey, SIDE).flatten().numpy()
    return small


def _near(small: list[NDArray[np.float32] | None]) -> list[tuple[int, int]]:
    """Of each image that is like an earlier one: its number, and that of the first such."""
    if len(small) < 2:
        return []
    x = torch.from_numpy(np.stack([one for one in small if one is not None]))
    contrast = x.std(1)
    pairs = []
    for start in range(0, len(x), 1024):
        part = x[start : start + 1024]
        apart = torch.cdist(part, x[: start + len(part)]) / SIDE
        bound = (NEAR_SHARE * contrast[start : start + len(part)]).clamp(max=NEAR)
        earlier = torch.ones_like(apart, dtype=torch.bool).tril(start - 1)
        like = (apart < bound[:, None]) & earlier
        pairs += [(start + i, int(like[i].nonzero()[0])) for i in like.any(1).nonzero()[:, 0]]
    return [(int(i), j) for i, j in pairs]
