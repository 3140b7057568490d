"""Two directories of images that belong together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from gan_cli.dataset.cache import Cache, way
from gan_cli.dataset.decode import FAULTS, Decode, reason
from gan_cli.dataset.files import Files
from gan_cli.dataset.listing import Listing
from gan_cli.dataset.room import fits_host
from gan_cli.dataset.source import Resident, Source, check_choice
from gan_cli.dataset.stream import Streamed
from gan_cli.dataset.survey import TOLD, TOLERANCE, Survey, shape_of, survey
from gan_cli.errors import UserMistake
from gan_cli.strict import clean


@dataclass(frozen=True)
class Pairs:
    """The images under `path_a` and `path_b` whose names agree (but for .png, .jpg, …), in pairs.

    A sample is a pair side by side, a on the left, twice as wide as `size` says: for
    task=translate, as the data sets of Isola et al. 2016, arXiv 1611.07004, are stored. The other
    fields are those of dataset=folder, for either image.
    """

    path_a: str | None = None
    path_b: str | None = None
    size: int | Sequence[int] | None = 64
    channels: int = 3
    crop: str = "center"
    background: str = "white"
    min_size: int = 8
    on_bad_image: str = "stop"
    workers: int = 2
    cache: str | None = "~/.cache/gan/cache"

    def __post_init__(self) -> None:
        self.decode()
        check_choice("on_bad_image", self.on_bad_image, TOLERANCE)
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more, not {self.workers}")

    def decode(self) -> Decode:
        """How either image becomes pixels."""
        return Decode.of(self.size, self.channels, self.crop, self.background, self.min_size)

    def load(self) -> Source:
        """The pairs in memory, or a stream of them when they don't fit.

        UserMistake when a directory is missing, or an image has no partner; BadFile for images that
        can't be read.
        """
        a, b = (self._scan(*named) for named in (("a", self.path_a), ("b", self.path_b)))
        partners = _partners(a, b)
        beside = _SideBySide(self.decode(), partners)
        shape = shape_of(a, beside)
        resident = fits_host(len(a.names) * math.prod(shape))
        found = self._survey(a, b, beside, shape, resident)
        if found.images is not None:
            images = torch.from_numpy(found.images)
            return Kept(images, None, (), found.fingerprint, notes=found.notes)
        assert found.prints is not None
        return Read(
            Files([a.paths[i] for i in found.kept], beside, found.prints),
            None,
            len(found.kept),
            shape,
            (),
            found.fingerprint,
            workers=self.workers,
            notes=found.notes,
        )

    def _scan(self, letter: str, path: str | None) -> Listing:
        key = f"dataset.path_{letter}"
        if not path:
            raise UserMistake(f"dataset=pairs: of which images? Type {key}=DIRECTORY")
        return Listing.scan(Path(path).expanduser(), key)

    def _survey(
        self, a: Listing, b: Listing, beside: _SideBySide, shape: tuple[int, int, int], keep: bool
    ) -> Survey:
        def make() -> Survey:
            return survey(a, beside, shape, self.on_bad_image, keep)

        if self.cache is None:
            return make()
        file = Path(self.cache).expanduser() / f"pairs-{way([a.root, b.root], self.decode())}.npz"
        key = f"3 {a.sha256} {b.sha256} {self.decode()} {self.on_bad_image}"
        return Cache(file, key).through(keep, make)


class Kept(Resident):
    """Pairs in memory."""

    side_by_side: ClassVar[bool] = True


class Read(Streamed):
    """Pairs too many for memory."""

    side_by_side: ClassVar[bool] = True


def _partners(a: Listing, b: Listing) -> dict[Path, Path]:
    """The image of b that belongs to each of a; UserMistake where there is none, or two."""
    places = {"a": _by_name(a, "a"), "b": _by_name(b, "b")}
    for one, other, listing in (("a", "b", b), ("b", "a", a)):
        if lonely := sorted(places[one].keys() - places[other].keys()):
            more = f", and {len(lonely) - TOLD} more" if len(lonely) > TOLD else ""
            raise UserMistake(
                f"{clean(listing.root)} lacks a partner for {len(lonely)} of "
                f"{len(places[one])} images of dataset.path_{one}: "
                f"{', '.join(map(clean, lonely[:TOLD]))}{more}. Add or remove them"
            )
    return {path: places["b"][name] for name, path in places["a"].items()}


def _by_name(listing: Listing, letter: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in zip(listing.names, listing.paths, strict=True):
        stem = str(Path(name).with_suffix(""))
        if stem in found:
            raise UserMistake(
                f"dataset.path_{letter} has two images called {clean(stem)}: {found[stem].name} "
                f"and {path.name}. Which one is to be paired? Remove the other"
            )
        found[stem] = path
    return found


@dataclass(frozen=True)
class _SideBySide:
    """Reads an image and its partner, as one of twice the width."""

    each: Decode
    partners: dict[Path, Path]

    @property
    def channels(self) -> int:
        return self.each.channels

    @property
    def size(self) -> tuple[int, int] | None:
        size = self.each.size
        return size and (size[0], 2 * size[1])

    def __call__(self, path: Path) -> tuple[NDArray[np.uint8], str]:
        left, mode = self.each(path)
        try:
            right, _ = self.each(self.partners[path])
        except FAULTS as error:
            why = reason(error, self.partners[path])
            raise ValueError(f"its partner {self.partners[path]}: {why}") from error
        if left.shape != right.shape:
            raise ValueError(
                f"{left.shape[2]}×{left.shape[1]} pixels, and its partner "
                f"{right.shape[2]}×{right.shape[1]}: dataset.size={min(left.shape[1:])} makes "
                "them agree"
            )
        return np.concatenate([left, right], 2), mode
