"""Images side by side, and PNG files that say where they come from."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from gan_cli.errors import UserMistake

SMALLEST, QUICK, QUICKEST = 9, 6, 1
"""How hard a PNG is compressed: ten times as long as QUICK for a tenth less, or half as long for a
fifth more."""

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

PAPER = 104
"""The grey of gaps, and of what shows through transparent pixels."""


def grid(x: Tensor, columns: int | None = None, scale: int | None = None) -> Pixels:
    """Images `(N, C, H, W)` in [-1, 1] in rows, from left to right, `(height, width, 3)`.

    C is 1 (grey), 2 (grey and opacity), 3 (RGB) or 4 (RGB and opacity). About as many columns as
    rows unless they are given; the last row may be short. Small images are enlarged by a whole
    factor, each pixel a square.
    """
    count, _, height, width = x.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    scale = scale or default_scale(height, width, columns)
    tiles = opaque(pixels(x)).repeat(scale, axis=1).repeat(scale, axis=2)
    gap = gap_of(height * scale, width * scale)
    down, right = height * scale + gap, width * scale + gap
    canvas = np.full((rows * down + gap, columns * right + gap, 3), PAPER, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = gap + index // columns * down, gap + index % columns * right
        canvas[top : top + height * scale, left : left + width * scale] = tile
    return canvas


def default_scale(height: int, width: int, columns: int) -> int:
    """The enlargement that makes a grid about 640 pixels wide, without tiles over 256."""
    tile = min(256.0, max(64.0, 640 / columns))
    return max(1, math.floor(tile / max(height, width) + 0.5))


def gap_of(height: int, width: int) -> int:
    """The space around tiles of that size, 1 to 4 pixels."""
    return min(4, max(1, round(max(height, width) / 24)))


def pixels(x: Tensor) -> Pixels:
    """Images `(N, C, H, W)` in [-1, 1] as `(N, H, W, C)` of 0 to 255."""
    levels = x.detach().float().cpu().numpy() + np.float32(1)
    levels *= np.float32(127.5)
    np.rint(levels, out=levels)
    np.clip(levels, 0, 255, out=levels)
    with np.errstate(invalid="ignore"):  # of NaN it is black
        return np.ascontiguousarray(levels.astype(np.uint8).transpose(0, 2, 3, 1))


def enlarge(image: Pixels, scale: int) -> Pixels:
    """The image `(H, W, C)`, each pixel a square of `scale` by `scale`."""
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def png(image: Pixels, text: Mapping[str, str], effort: int = SMALLEST) -> bytes:
    """A PNG file of an image `(H, W, C)`, with the text in its metadata.

    C is 1 (grey), 2 (grey and opacity), 3 (RGB) or 4 (RGB and opacity). An RGB image without
    colours is stored as grey. `effort`: SMALLEST, QUICK or QUICKEST.
    """
    if image.shape[2] == 3 and (image == image[..., :1]).all():
        image = image[..., :1]
    info = PngInfo()
    for key, value in text.items():
        info.add_text(key, value)
    file = io.BytesIO()
    drawn = image[..., 0] if image.shape[2] == 1 else image
    Image.fromarray(np.ascontiguousarray(drawn)).save(
        file, "PNG", pnginfo=info, optimize=effort == SMALLEST, compress_level=effort
    )
    return file.getvalue()


def check_channels(channels: int) -> None:
    """Raise UserMistake for images that can't be drawn."""
    if not 1 <= channels <= 4:
        raise UserMistake(f"images of {channels} channels can't be drawn: --out FILE.npz")


def opaque(images: Pixels) -> Pixels:
    """Images of any number of channels as RGB, `(N, H, W, C) -> (N, H, W, 3)`."""
    check_channels(images.shape[3])
    if images.shape[3] in (1, 3):
        return images.repeat(3 // images.shape[3], axis=3)
    colour = images[..., :-1].astype(np.float32)
    opacity = images[..., -1:].astype(np.float32) / 255
    mixed = (colour * opacity + PAPER * (1 - opacity)).round().astype(np.uint8)
    return mixed.repeat(3 // mixed.shape[3], axis=3)
