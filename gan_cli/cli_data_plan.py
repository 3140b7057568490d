"""What dataset=folder does with the images of a directory, and what would suit them better."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from gan_cli.dataset.census import Census
from gan_cli.dataset.decode import MODES
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.room import fits_host
from gan_cli.dataset.survey import TOLERANCE

GREY = {"1", "L", "I;16", "I;16B", "I", "LA"}
"""Pillow's modes of images without colour."""

OPACITY = {"LA", "RGBA", "PA"}

SMALL = 64
"""Pixels of a side, the default."""


def shares(counts: Mapping[str, int], most: int = 8) -> str:
    """`20 PNG, 3 JPEG`, the most frequent first."""
    common = Counter(counts).most_common()
    told = [f"{count:,} {name}" for name, count in common[:most]]
    return ", ".join([*told, "…"] if len(common) > most else told)


def megabytes(size: float) -> str:
    """A number of bytes in words."""
    if size < 1e6:
        return f"{size / 1e3:,.0f} kB"
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def images(count: int) -> str:
    """`1 image`, `2 images`."""
    return f"{count:,} image{'s' if count != 1 else ''}"


def plan(folder: Folder, found: Census) -> list[tuple[str, str]]:
    """(what, how) of each thing that is done to the images, in order."""
    rows = [("Resized", _resized(folder, found)), ("Cropped", _cropped(folder, found))]
    return [
        *((label, text) for label, text in rows if text),
        ("Channels", _channels(folder, found)),
        ("Memory", _memory(folder, found)),
        ("Mirrored", _mirrored(folder)),
    ]


def refusal(folder: Folder, found: Census) -> str:
    """Why training would stop at broken files, or ''."""
    share, bad, count = TOLERANCE[folder.on_bad_image], len(found.broken), len(found.files)
    if bad <= max(share * count, share > 0) and bad < count:
        return ""
    if bad <= max(TOLERANCE["skip"] * count, 1) and bad < count:
        return f"at {bad:,} broken {_files(bad)}: repair or remove, or dataset.on_bad_image=skip"
    return (
        f"at {bad:,} broken {_files(bad)} of {count:,}: repair or remove them; "
        f"dataset.on_bad_image=skip leaves out {TOLERANCE['skip']:.0%} at most"
    )


def lossy(folder: Folder, found: Census, typed: Sequence[str]) -> dict[str, str]:
    """Settings that suit these images better than the defaults, and why; those typed stay."""
    said = {text.partition("=")[0] for text in typed}
    advice: dict[str, str] = {}
    if not found.good:
        return advice
    modes = {file.mode for file in found.good}
    if "dataset.channels" not in said and folder.channels == 3 and modes <= GREY - OPACITY:
        advice["dataset.channels=1"] = "every image is grey"
    sizes = {file.size for file in found.good}
    if "dataset.size" not in said and len(sizes) == 1:
        height, width = next(iter(sizes))
        if max(height, width) < SMALL:
            side = str(height) if height == width else f"[{height},{width}]"
            advice[f"dataset.size={side}"] = "every image has this size already"
    elif "dataset.size" not in said and _enlarged(found, SMALL) > len(found.good) / 2:
        sides = sorted(min(file.size) for file in found.good)
        fewest = max(len(sides) // 10, int(len(sides) > 2))  # a single one doesn't decide
        common = max(8, sides[fewest] // 4 * 4)
        large = sum(side >= common for side in sides)
        advice[f"dataset.size={common}"] = (
            f"{large:,} of {images(len(sides))} are as large: they need no enlarging"
        )
    if "dataset.on_bad_image" not in said and refusal(folder, found):
        few = max(1.0, TOLERANCE["skip"] * len(found.files))
        if len(found.broken) <= few and found.good:
            advice["dataset.on_bad_image=skip"] = "leaves out what is broken"
    return advice


def _resized(folder: Folder, found: Census) -> str:
    _, height, width = found.shape
    if folder.size is None:
        return f"no: all have {width}×{height} already"
    good = found.good
    as_they_are = sum(file.size == (height, width) for file in good)
    text = f"to {width}×{height}"
    if as_they_are == len(good):
        return f"{text}, which all have already"
    larger = sum(_scale(file.size, (height, width)) > 1 for file in good)
    if larger:
        text += f"; {larger:,} of {len(good):,} are enlarged, by up to {_largest(found):.1f}"
    return text


def _cropped(folder: Folder, found: Census) -> str:
    _, height, width = found.shape
    lost = [_lost(file.size, (height, width)) for file in found.good]
    mean, most = sum(lost) / len(lost), max(lost)
    if folder.size is None or most < 0.005:
        return "nothing"
    if _KEEPS_ALL[folder.crop]:
        return f"nothing; proportions change by up to {1 / (1 - most):.2f}"
    return f"{100 * mean:.0f} % of an image on average, {100 * most:.0f} % at most (dataset.crop)"


_KEEPS_ALL = {"center": False, "none": True}


def _channels(folder: Folder, found: Census) -> str:
    wanted = MODES[folder.channels]
    modes = Counter(file.mode for file in found.good)
    other = {mode: count for mode, count in modes.items() if mode != wanted}
    text = f"{folder.channels} ({wanted})"
    if other:
        text += f"; converted: {shares(other)}"
    if modes.keys() & OPACITY and not wanted.endswith("A"):
        text += f"; what is transparent shows {folder.background} (dataset.background)"
    return text


def _memory(folder: Folder, found: Census) -> str:
    size = len(found.files) * math.prod(found.shape)
    told = megabytes(size)
    if fits_host(size):
        return f"{told}: decoded once, and kept in memory"
    return f"{told}, more than there is room for: read while training, by {folder.workers} workers"


def _mirrored(folder: Folder) -> str:
    if folder.mirror:
        return "half of them, chosen anew each epoch"
    return "no: dataset.mirror=true doubles them, where left and right don't matter"


def _files(count: int) -> str:
    return "file" if count == 1 else "files"


def _enlarged(found: Census, side: int) -> int:
    return sum(_scale(file.size, (side, side)) > 1 for file in found.good)


def _largest(found: Census) -> float:
    return max(_scale(file.size, found.shape[1:]) for file in found.good)


def _scale(size: Collection[int], target: Collection[int]) -> float:
    """The factor by which an image grows to cover the target."""
    return max(new / old for new, old in zip(target, size, strict=True))


def _lost(size: tuple[int, int], target: tuple[int, ...]) -> float:
    """The share of an image that a crop to the target's proportions cuts off."""
    ratio = (size[1] / size[0]) / (target[1] / target[0])
    return 1 - min(ratio, 1 / ratio)
