"""Any directory of images."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import ImageColor
from torch import Tensor

from gan_cli.dataset.cache import Cache
from gan_cli.dataset.decode import CROPS, FAULTS, MODES, Decode, reason
from gan_cli.dataset.listing import Listing
from gan_cli.dataset.room import fits_host
from gan_cli.dataset.source import Resident, Source, check_choice
from gan_cli.dataset.stream import Streamed
from gan_cli.dataset.survey import TOLERANCE, Survey, shape_of, survey
from gan_cli.errors import BadFile, UserMistake
from gan_cli.strict import clean


@dataclass(frozen=True)
class Folder:
    """The images under `path`: PNG, JPEG, WebP, BMP, GIF and TIFF (first frames), PPM.

    When every image is in a sub-folder, the first folders are the classes; else there are none.
    `size` is a side, (height, width), or None when all images agree already; `crop` is center or
    none (which changes proportions); `channels` 1 gray, 2 with alpha, 3 colour, 4 with alpha;
    `background` shows through what is transparent. `on_bad_image` is stop or skip (1 % at most).
    `cache` is a directory for decoded images, or None. `workers` read ahead when the set doesn't
    fit into memory.
    """

    path: str | None = None
    size: int | Sequence[int] | None = 64
    channels: int = 3
    crop: str = "center"
    background: str = "white"
    min_size: int = 8
    on_bad_image: str = "stop"
    mirror: bool = False
    workers: int = 2
    cache: str | None = "~/.cache/gan/cache"

    def __post_init__(self) -> None:
        check_choice("channels", self.channels, MODES)
        check_choice("crop", self.crop, CROPS)
        check_choice("on_bad_image", self.on_bad_image, TOLERANCE)
        sides = self._sides()
        if sides is not None and (len(sides) != 2 or min(sides) < 1):
            raise ValueError(f"size is a side, [height, width] or null, not {self.size}")
        if self.min_size < 1 or self.workers < 0:
            raise ValueError(
                f"min_size must be 1 or more and workers 0 or more, not {self.min_size} and "
                f"{self.workers}"
            )
        try:
            ImageColor.getrgb(self.background)
        except ValueError:
            raise ValueError(
                f"background is a colour like white or #ff8000, not {self.background}"
            ) from None

    def load(self) -> Source:
        """The images in memory, or a stream of them when they don't fit.

        Every image is decoded once, and all that can't be are listed in a BadFile. UserMistake when
        the directory or its images are missing.
        """
        if not self.path:
            raise UserMistake("dataset=folder: of which images? Type dataset.path=DIRECTORY")
        listing = Listing.scan(Path(self.path).expanduser())
        decode = self._decode()
        shape = shape_of(listing, decode)
        resident = fits_host(len(listing.names) * math.prod(shape))
        found = self._survey(listing, decode, shape, resident)
        labels = torch.tensor(listing.labels)[found.kept] if listing.classes else None
        classes = tuple(clean(name) for name in listing.classes)
        if found.images is not None:
            images = torch.from_numpy(found.images)
            return Resident.of(images, labels, classes, self.mirror, found.notes)
        return Streamed(
            _Files([listing.paths[i] for i in found.kept], decode, shape),
            labels,
            len(found.kept),
            shape,
            classes,
            hashlib.sha256(f"{listing.sha256} {decode}".encode()).hexdigest(),
            self.mirror,
            self.workers,
            found.notes,
        )

    def _survey(
        self, listing: Listing, decode: Decode, shape: tuple[int, int, int], keep: bool
    ) -> Survey:
        if self.cache is None:
            return survey(listing, decode, shape, self.on_bad_image, keep)
        way = hashlib.sha256(f"{listing.root.resolve()} {decode}".encode()).hexdigest()
        cache = Cache(
            Path(self.cache).expanduser() / f"folder-{way[:16]}.npz",
            f"1 {listing.sha256} {decode} {self.on_bad_image}",
        )
        with cache.locked() as obstacle:
            if stored := cache.read(images=keep):
                return stored
            found = survey(listing, decode, shape, self.on_bad_image, keep)
            trouble = obstacle or cache.write(found)
        notes = (*found.notes, trouble) if trouble else found.notes
        return Survey(found.kept, found.images, notes)

    def _sides(self) -> tuple[int, ...] | None:
        if self.size is None:
            return None
        return (self.size, self.size) if isinstance(self.size, int) else tuple(self.size)

    def _decode(self) -> Decode:
        sides = self._sides()
        size = None if sides is None else (sides[0], sides[1])
        return Decode(size, self.channels, self.crop, self.background, self.min_size)


class _Files:
    def __init__(self, paths: list[Path], decode: Decode, shape: tuple[int, ...]):
        self._paths, self._decode, self._shape = paths, decode, shape

    def __getitem__(self, index: int) -> Tensor:
        path = self._paths[index]
        try:
            pixels, _ = self._decode(path)
        except FAULTS as error:
            raise BadFile(f"{clean(path)} has changed: {reason(error, path)}") from error
        if pixels.shape != self._shape:
            raise BadFile(f"{clean(path)} has changed: its size is another now")
        return torch.from_numpy(pixels)
