"""PNG files of small images by the thousand, faster than a library that is made for large ones."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np

from gan_cli.plot.grid import QUICKEST, Pixels, png

SMALL = 64 * 64 * 3
"""Numbers in an image up to which it is small; filters and a library pay for larger ones."""

_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels, and PNG's name for them
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def quick(image: Pixels, text: Mapping[str, str]) -> bytes:
    """A PNG file of an image `(H, W, C)` of 1 to 4 channels, with the text in its metadata.

    W3C, Portable Network Graphics, second edition, 2003: IHDR, tEXt, IDAT, IEND, rows unfiltered.
    Text that tEXt can't hold, and large images, are left to the library.
    """
    told = "".join(text.values())
    if image.size > SMALL or not told.isascii():
        return png(image, text, QUICKEST)
    height, width, channels = image.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # a row's filter stands before it
    rows[:, 1:] = image.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    words = [_chunk(b"tEXt", f"{key}\0{value}".encode("ascii")) for key, value in text.items()]
    body = _chunk(b"IDAT", zlib.compress(rows.tobytes(), 4))
    return b"".join([_SIGNATURE, _chunk(b"IHDR", head), *words, body, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
