"""Pictures side by side under headings."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_cli.plot.grid import PAPER, Pixels, opaque, pixels

TILE = 112
"""The height of a picture, about, in pixels."""

GAP = 6
INK = 250


def panel(columns: dict[str, Tensor]) -> Pixels:
    """A column of pictures `(N, C, H, W)` in [-1, 1] under each heading, `(height, width, 3)`.

    Rows belong together. Pictures are enlarged by whole factors, to about the same height.
    """
    tall = max(x.shape[2] for x in columns.values())
    height = tall * max(1, round(TILE / tall))
    strips = {name: _tiles(x, height) for name, x in columns.items()}
    font = ImageFont.load_default(size=15)
    wide = {n: max(s.shape[2], round(font.getlength(n)) + 4) for n, s in strips.items()}
    top, rows = 24, max(len(strip) for strip in strips.values())
    size = (top + rows * (height + GAP) + GAP, sum(wide.values()) + GAP * (len(wide) + 1), 3)
    canvas = np.full(size, PAPER, np.uint8)
    drawn = Image.fromarray(canvas)
    pen, left = ImageDraw.Draw(drawn), GAP
    for name in strips:
        middle = (left + wide[name] / 2, top / 2 + 1)
        pen.text(middle, name, fill=(INK,) * 3, font=font, anchor="mm")
        left += wide[name] + GAP
    canvas, left = np.array(drawn), GAP
    for name, strip in strips.items():
        inset = left + (wide[name] - strip.shape[2]) // 2
        for row, tile in enumerate(strip):
            y = top + GAP + row * (height + GAP)
            canvas[y : y + height, inset : inset + tile.shape[1]] = tile
        left += wide[name] + GAP
    return canvas


def _tiles(x: Tensor, height: int) -> Pixels:
    """Pictures of that height, `(N, height, width, 3)`: each pixel a square, or nearly one."""
    images = opaque(pixels(x))
    factor = height / images.shape[1]
    if factor.is_integer():
        return images.repeat(int(factor), axis=1).repeat(int(factor), axis=2)
    size = (max(1, round(images.shape[2] * factor)), height)
    scaled = [Image.fromarray(one).resize(size, Image.Resampling.NEAREST) for one in images]
    return np.stack([np.array(one) for one in scaled])
