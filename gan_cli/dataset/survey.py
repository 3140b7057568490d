"""Every image of a listing decoded once, and what that showed."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_cli.dataset.decode import FAULTS, MODES, Decodes, reason
from gan_cli.dataset.listing import Listing
from gan_cli.errors import BadFile
from gan_cli.strict import clean

TOLERANCE = {"stop": 0.0, "skip": 0.01}
"""What `on_bad_image` means: the share of images that may be left out; one, of a few images."""

TOLD = 10
"""Bad images named in a message; the rest are counted."""

PRINT = 16
"""Bytes that an image is known by."""

_PART = 16  # images that a thread takes at once
_AHEAD = 4  # parts for each thread, at most, that wait to be taken or told
_Look = tuple[NDArray[np.uint8] | None, str, str]


@dataclass(frozen=True)
class Survey:
    """The numbers of the images that can be read, `(n,)`, and their pixels `(n, C, H, W)`.

    The pixels are None when there is no room for them; then `prints` `(n, 16)` are those of each
    image. `fingerprint` is that of all, the same in memory or not. `notes` are for the user.
    """

    kept: NDArray[np.int64]
    images: NDArray[np.uint8] | None
    notes: tuple[str, ...]
    prints: NDArray[np.uint8] | None
    fingerprint: str


def shape_of(listing: Listing, decode: Decodes) -> tuple[int, int, int]:
    """(channels, height, width) that the images have, or will have: the first readable one's."""
    if decode.size:
        return decode.channels, *decode.size
    bad = {}
    for name in listing.names:
        with quiet():
            pixels, _, why = read(listing.root / name, decode)
        if pixels is not None:
            channels, height, width = pixels.shape
            return channels, height, width
        bad[name] = why
    raise BadFile(_told(listing, bad, "stop"))


def survey(
    listing: Listing,
    decode: Decodes,
    shape: tuple[int, int, int],
    on_bad_image: str,
    keep: bool,
    labels: NDArray[np.int64] | None = None,
) -> Survey:
    """Decode all images, on every core, and keep their pixels, or what they are known by.

    `labels` `(N,)` are part of the fingerprint. Raises BadFile with a list of those that can't be
    read, when there are too many.
    """
    seen = _Seen(listing, decode, shape, keep)
    count, everything = len(listing.names), range(len(listing.names))
    sha = _sha256(count, shape)
    looks = []
    for pixels, mode, why in seen.all(everything):
        looks.append((mode, why))
        if pixels is not None:
            sha.update(pixels.data)
    bad = {listing.names[i]: why for i, (_, why) in enumerate(looks) if why}
    share = TOLERANCE[on_bad_image]
    if len(bad) > max(share * count, share > 0) or len(bad) == count:
        raise BadFile(_told(listing, bad, on_bad_image))
    kept = np.array([i for i, (_, why) in enumerate(looks) if not why], np.int64)
    notes = _notes(bad, Counter(mode for mode, why in looks if not why), MODES[decode.channels])
    images = (seen.images[kept] if bad else seen.images) if keep else None
    if bad:  # how many there are comes first
        sha = _sha256(len(kept), shape)
        again = (pixels for pixels, _, _ in seen.all(kept.tolist())) if images is None else images
        for pixels in again:
            if pixels is not None:
                sha.update(pixels.data)
    if labels is not None:
        sha.update(labels[kept].data)
    return Survey(kept, images, notes, None if keep else seen.prints[kept], sha.hexdigest())


def fingerprint(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What one image is known by, `(16,)`."""
    short = hashlib.blake2b(pixels.data, digest_size=PRINT).digest()
    return np.frombuffer(short, np.uint8)


class _Seen:
    """Every image decoded by threads, in order: kept, or printed and passed on."""

    def __init__(
        self, listing: Listing, decode: Decodes, shape: tuple[int, int, int], keep: bool
    ) -> None:
        count = len(listing.names)
        self._listing, self._decode, self._shape, self._keep = listing, decode, shape, keep
        self.images = np.empty((count if keep else 0, *shape), np.uint8)
        self.prints = np.empty((0 if keep else count, PRINT), np.uint8)

    def all(self, numbers: Sequence[int]) -> Iterator[_Look]:
        """The pixels; the mode; why it can't be used, or ''."""
        waiting: deque[Future[list[_Look]]] = deque()
        with quiet(), ThreadPoolExecutor(cores()) as pool:
            for start in range(0, len(numbers), _PART):
                waiting.append(pool.submit(self._some, numbers[start : start + _PART]))
                if len(waiting) > _AHEAD * cores():
                    yield from waiting.popleft().result()
            for part in waiting:
                yield from part.result()

    def _some(self, numbers: Sequence[int]) -> list[_Look]:
        return [self._one(number) for number in numbers]

    def _one(self, number: int) -> _Look:
        pixels, mode, why = read(self._listing.root / self._listing.names[number], self._decode)
        if pixels is None:
            return None, mode, why
        if pixels.shape != self._shape:
            return None, mode, unlike(pixels.shape, self._shape)
        if self._keep:
            self.images[number] = pixels
            return self.images[number], mode, ""
        self.prints[number] = fingerprint(pixels)
        return pixels, mode, ""


def _sha256(count: int, shape: tuple[int, ...]) -> hashlib._Hash:
    """What `source.digest` begins with."""
    return hashlib.sha256(f"{(count, *shape)}".encode())


def unlike(one: tuple[int, ...], others: tuple[int, ...]) -> str:
    """Why an image of one shape can't stand among others, with the fix."""
    return (
        f"{one[2]}×{one[1]} pixels, where the others have "
        f"{others[2]}×{others[1]}: dataset.size={min(others[1:])} makes them agree"
    )


def read(path: Path, decode: Decodes) -> tuple[NDArray[np.uint8] | None, str, str]:
    """Pixels and mode, or None and the reason."""
    try:
        return *decode(path), ""
    except FAULTS as error:
        return None, "", reason(error, path)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata and of sizes we check ourselves
        yield


def _told(listing: Listing, bad: dict[str, str], on_bad_image: str) -> str:
    share = TOLERANCE[on_bad_image]
    fix = (
        f"more than dataset.on_bad_image=skip leaves out ({share:.0%})"
        if share
        else f"dataset.on_bad_image=skip leaves out up to {TOLERANCE['skip']:.0%}"
    )
    return (
        f"{len(bad)} of {len(listing.names)} images in {clean(listing.root)} can't be used:"
        f"{lines(bad)}\nRepair or remove them ({fix})"
    )


def _notes(bad: dict[str, str], modes: Counter[str], wanted: str) -> tuple[str, ...]:
    notes = []
    if bad:
        notes.append(f"left out {len(bad)} images that can't be read:{lines(bad)}")
    if converted := {mode: n for mode, n in sorted(modes.items()) if mode != wanted}:
        told = ", ".join(f"{n} {mode}" for mode, n in converted.items())
        notes.append(f"converted to {wanted}: {told}")
    return tuple(notes)


def lines(bad: dict[str, str]) -> str:
    """Names and reasons, a line each, of the first few."""
    told = [f"\n  {clean(name)}: {why}" for name, why in list(bad.items())[:TOLD]]
    if len(bad) > TOLD:
        told.append(f"\n  … and {len(bad) - TOLD} more")
    return "".join(told)


def cores() -> int:
    """How many images can be decoded at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
