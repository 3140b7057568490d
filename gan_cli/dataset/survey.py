"""Every image of a listing decoded once, and what that showed."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


@dataclass(frozen=True)
class Survey:
    """The numbers of the images that can be read, `(n,)`, and their pixels `(n, C, H, W)`.

    The pixels are None when there is no room for them. `notes` are for the user.
    """

    kept: NDArray[np.int64]
    images: NDArray[np.uint8] | None
    notes: tuple[str, ...]


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
    listing: Listing, decode: Decodes, shape: tuple[int, int, int], on_bad_image: str, keep: bool
) -> Survey:
    """Decode all images, on every core, and keep their pixels or not.

    Raises BadFile with a list of those that can't be read, when there are too many.
    """
    count = len(listing.names)
    images = np.empty((count if keep else 0, *shape), np.uint8)

    def one(number: int) -> tuple[str, str]:
        pixels, mode, why = read(listing.root / listing.names[number], decode)
        if pixels is None or pixels.shape == shape:
            if keep and pixels is not None:
                images[number] = pixels
            return mode, why
        return mode, unlike(pixels.shape, shape)

    with quiet(), ThreadPoolExecutor(cores()) as pool:
        results = list(pool.map(one, range(count)))
    bad = {listing.names[i]: why for i, (_, why) in enumerate(results) if why}
    share = TOLERANCE[on_bad_image]
    if len(bad) > max(share * count, share > 0) or len(bad) == count:
        raise BadFile(_told(listing, bad, on_bad_image))
    kept = np.array([i for i, (_, why) in enumerate(results) if not why], np.int64)
    modes = Counter(mode for mode, why in results if not why)
    return Survey(
        kept,
        (images[kept] if bad else images) if keep else None,
        _notes(bad, modes, MODES[decode.channels]),
    )


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
        f"{_lines(bad)}\nRepair or remove them ({fix})"
    )


def _notes(bad: dict[str, str], modes: Counter[str], wanted: str) -> tuple[str, ...]:
    notes = []
    if bad:
        notes.append(f"left out {len(bad)} images that can't be read:{_lines(bad)}")
    if converted := {mode: n for mode, n in sorted(modes.items()) if mode != wanted}:
        told = ", ".join(f"{n} {mode}" for mode, n in converted.items())
        notes.append(f"converted to {wanted}: {told}")
    return tuple(notes)


def _lines(bad: dict[str, str]) -> str:
    lines = [f"\n  {clean(name)}: {why}" for name, why in list(bad.items())[:TOLD]]
    if len(bad) > TOLD:
        lines.append(f"\n  … and {len(bad) - TOLD} more")
    return "".join(lines)


def cores() -> int:
    """How many images can be decoded at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
