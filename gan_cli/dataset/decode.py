"""Image files to pixels: nothing clipped, nothing hidden, nothing turned."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps, ImageSequence, UnidentifiedImageError

from gan_cli.dataset.listing import KINDS, opened
from gan_cli.dataset.source import check_choice
from gan_cli.strict import clean

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's name of each number of channels: gray, gray and alpha, colour, colour and alpha."""

LARGEST = 50_000_000
"""Pixels of an image, at most; told before they are decoded."""

FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    OverflowError,
    RuntimeError,
    TypeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for files that are not whole."""

FORMATS = tuple(dict.fromkeys(KINDS.values()))
"""Pillow's names of the formats that are read, whatever a file's name says."""

Size = tuple[int, int]
_GRAY = {"1", "L"}
_SIXTEEN_BITS = {"I;16", "I;16B", "I;16L"}
_WIDE = {"I", "F"}
_SIXTEEN_BIT_FORMATS = {"PNG", "PPM"}  # these keep 16 bits where Pillow has 32
_ORIENTATION = 0x0112
_TURNED = range(2, 9)


def _cover(image: Image.Image, size: Size) -> Image.Image:
    return ImageOps.fit(image, (size[1], size[0]), Image.Resampling.LANCZOS)


def _stretch(image: Image.Image, size: Size) -> Image.Image:
    return image.resize((size[1], size[0]), Image.Resampling.LANCZOS)


CROPS: dict[str, Callable[[Image.Image, Size], Image.Image]] = {"center": _cover, "none": _stretch}
"""Ways to a size: cover it and cut off what overhangs on both sides, or change the proportions."""


class Decodes(Protocol):
    """Reads image files as uint8 `(C, H, W)`, of `size` where that is given."""

    @property
    def size(self) -> Size | None:
        """(height, width), or None for that of the files."""
        ...

    @property
    def channels(self) -> int:
        """How many there are."""
        ...

    def __call__(self, path: Path) -> tuple[NDArray[np.uint8], str]:
        """The pixels, and Pillow's name of the mode that they were stored in."""
        ...


@dataclass(frozen=True)
class Decode:
    """Reads an image file as uint8 `(C, H, W)`: turned as its EXIF says, in `channels` channels.

    16-bit gray is rescaled to 8. What is transparent shows `background`, or keeps its alpha where
    there is a channel for it. Of an animation, the first frame.
    """

    size: Size | None
    channels: int
    crop: str
    background: str
    min_size: int

    @classmethod
    def of(
        cls,
        size: int | Sequence[int] | None,
        channels: int,
        crop: str,
        background: str,
        min_size: int,
    ) -> Decode:
        """What the words of a configuration mean; ValueError for those that mean nothing."""
        check_choice("channels", channels, MODES)
        check_choice("crop", crop, CROPS)
        sides = (size, size) if isinstance(size, int) else None if size is None else tuple(size)
        if sides is not None and (len(sides) != 2 or min(sides) < 1):
            raise ValueError(f"size is a side, [height, width] or null, not {size}")
        if min_size < 1:
            raise ValueError(f"min_size must be 1 or more, not {min_size}")
        try:
            ImageColor.getrgb(background)
        except ValueError:
            raise ValueError(
                f"background is a colour like white or #ff8000, not {background}"
            ) from None
        return cls(sides and (sides[0], sides[1]), channels, crop, background, min_size)

    def __call__(self, path: Path) -> tuple[NDArray[np.uint8], str]:
        """The pixels, and Pillow's name of the mode that they were stored in.

        Raises one of FAULTS; `reason` says it in words.
        """
        with opened(path) as file, Image.open(file, formats=FORMATS) as image:
            self._check(image)
            if self.size:  # lets JPEG skip detail that the resizing would drop
                side = 2 * max(self.size)
                image.draft(image.mode, (side, side))
            mode = image.mode
            return self.pixels(image), mode

    def frames(self, path: Path) -> Iterator[NDArray[np.uint8]]:
        """The frames of an animation, one of anything else. Raises one of FAULTS."""
        with opened(path) as file, Image.open(file, formats=FORMATS) as image:
            for frame in ImageSequence.Iterator(image):
                self._check(frame)  # the pages of a TIFF have sizes of their own
                yield self.pixels(frame)

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """The pixels of an image that is open, `(C, H, W)`."""
        seen = self._seen(_eight_bits(_upright(image), image.format))
        if self.size and seen.size != self.size[::-1]:
            seen = CROPS[self.crop](seen, self.size)  # Pillow weighs colours by their alpha
        if self._keeps_alpha:
            seen = self._hidden(seen)
        array = np.asarray(_as(seen, MODES[self.channels]))
        return np.ascontiguousarray(array.reshape(*array.shape[:2], -1).transpose(2, 0, 1))

    def _check(self, image: Image.Image) -> None:
        width, height = image.size
        if width * height > LARGEST:
            raise ValueError(_too_large(f"{width * height / 1e6:.0f}"))
        if min(width, height) < self.min_size:
            raise ValueError(f"{width}×{height} pixels, below dataset.min_size={self.min_size}")

    def _seen(self, image: Image.Image) -> Image.Image:
        """As RGBA where alpha is wanted, else on the background, as RGB or gray."""
        if image.has_transparency_data:
            image = image.convert("RGBA")
            if not self._keeps_alpha:
                ground = Image.new("RGBA", image.size, (*self._colour, 255))
                image = Image.alpha_composite(ground, image).convert("RGB")
        elif image.mode not in _GRAY:
            image = _as(image, "RGB")
        return _as(image, "RGBA" if self._keeps_alpha else MODES[self.channels])

    def _hidden(self, image: Image.Image) -> Image.Image:
        """The background's colour where nothing is seen."""
        seen = image.getchannel("A").point(lambda alpha: 255 * (alpha > 0))
        return Image.composite(image, Image.new("RGBA", image.size, (*self._colour, 0)), seen)

    @property
    def _keeps_alpha(self) -> bool:
        return MODES[self.channels].endswith("A")

    @property
    def _colour(self) -> tuple[int, ...]:
        return ImageColor.getrgb(self.background)[:3]


def reason(error: Exception, path: Path) -> str:
    """Why an image can't be read, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "no image of a kind that is known"
    if isinstance(error, Image.DecompressionBombError):
        return _too_large("179 or more")
    if isinstance(error, FileNotFoundError):
        return "a broken link" if path.is_symlink() else "no such file"
    if isinstance(error, OSError) and error.strerror:
        return clean(error.strerror)
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    return clean(error) or type(error).__name__


def _too_large(megapixels: str) -> str:
    return f"{megapixels} megapixels, above the limit of {LARGEST // 1_000_000}"


def _as(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says; the image itself where there is nothing to turn."""
    image.load()
    turned = image.getexif().get(_ORIENTATION) in _TURNED
    return ImageOps.exif_transpose(image) if turned else image


def _eight_bits(image: Image.Image, kind: str | None) -> Image.Image:
    wide = image.mode in _WIDE
    if wide and kind not in _SIXTEEN_BIT_FORMATS:
        raise ValueError("32 bits a pixel, without a stated range: store it with 8 or 16")
    if not wide and image.mode not in _SIXTEEN_BITS:
        return image
    values = np.asarray(image).astype(np.float32)
    return Image.fromarray((values.clip(0, 65535) / 257).round().astype(np.uint8))
