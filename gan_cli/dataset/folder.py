"""Any directory of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_cli.dataset.cache import Cache, way
from gan_cli.dataset.decode import Decode
from gan_cli.dataset.files import Files
from gan_cli.dataset.listing import Listing
from gan_cli.dataset.room import fits_host
from gan_cli.dataset.source import Resident, Source, check_choice
from gan_cli.dataset.stream import Streamed
from gan_cli.dataset.survey import TOLD, TOLERANCE, Survey, shape_of, survey
from gan_cli.errors import UserMistake
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
        self.decode()
        check_choice("on_bad_image", self.on_bad_image, TOLERANCE)
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more, not {self.workers}")

    def load(self) -> Source:
        """The images in memory, or a stream of them when they don't fit.

        Every image is decoded once, and all that can't be are listed in a BadFile. UserMistake when
        the directory or its images are missing.
        """
        if not self.path:
            raise UserMistake("dataset=folder: of which images? Type dataset.path=DIRECTORY")
        listing = Listing.scan(Path(self.path).expanduser())
        decode = self.decode()
        shape = shape_of(listing, decode)
        resident = fits_host(len(listing.names) * math.prod(shape))
        numbers = np.array(listing.labels, np.int64) if listing.classes else None
        found = self._survey(listing, decode, shape, resident, numbers)
        labels = None if numbers is None else torch.from_numpy(numbers[found.kept])
        classes = tuple(clean(name) for name in listing.classes)
        notes = (*found.notes, *_bare(listing))
        if found.images is not None:
            images = torch.from_numpy(found.images)
            return Resident(images, labels, classes, found.fingerprint, self.mirror, notes)
        assert found.prints is not None
        return Streamed(
            Files([listing.paths[i] for i in found.kept], decode, found.prints),
            labels,
            len(found.kept),
            shape,
            classes,
            found.fingerprint,
            self.mirror,
            self.workers,
            notes,
        )

    def _survey(
        self,
        listing: Listing,
        decode: Decode,
        shape: tuple[int, int, int],
        keep: bool,
        labels: NDArray[np.int64] | None,
    ) -> Survey:
        def make() -> Survey:
            return survey(listing, decode, shape, self.on_bad_image, keep, labels)

        if self.cache is None:
            return make()
        file = Path(self.cache).expanduser() / f"folder-{way([listing.root], decode)}.npz"
        key = f"3 {listing.sha256} {decode} {self.on_bad_image}"
        return Cache(file, key).through(keep, make)

    def decode(self) -> Decode:
        """How an image file becomes pixels."""
        return Decode.of(self.size, self.channels, self.crop, self.background, self.min_size)


def _bare(listing: Listing) -> tuple[str, ...]:
    """A line about sub-folders that are no classes, for want of images."""
    if not listing.bare:
        return ()
    few = ", ".join(clean(name, 40) for name in listing.bare[:TOLD])
    more = ", …" if len(listing.bare) > TOLD else ""
    return (f"no classes, because they hold no image: {few}{more}",)
