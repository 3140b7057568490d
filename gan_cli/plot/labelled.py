"""Images in a table whose rows and columns have names, and frames with a caption."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_cli.plot.grid import PAPER, Pixels, gap_of, grid

INK, FAINT, DONE = 250, 140, 215
"""Greys: of words, of what is left, and of what is done."""

MARGIN = 8
SIZE = 15
"""Of letters, in pixels."""

LARGEST = 50_000_000
"""Pixels of a picture that is read, at most."""


def table(
    x: Tensor, columns: int, scale: int, rows: Sequence[str], heads: Sequence[str] = ()
) -> Pixels:
    """Images `(N, C, H, W)` in [-1, 1], row by row, a name before each row and above each column.

    `(height, width, 3)`. Names may lack: of the rows, of the columns, or of both. A column's name
    that is wider than the column is left out, and so is every other one that stands in its way.
    """
    picture, font = grid(x, columns, scale), _font()
    tall, wide = x.shape[2] * scale, x.shape[3] * scale
    gap = gap_of(tall, wide)
    left = math.ceil(max((font.getlength(row) for row in rows), default=-2 * MARGIN))
    left, top = left + 2 * MARGIN, SIZE + MARGIN if heads else 0
    canvas = np.full((len(picture) + top, picture.shape[1] + left, 3), PAPER, np.uint8)
    canvas[top:, left:] = picture
    drawn = Image.fromarray(canvas)
    pen = ImageDraw.Draw(drawn)
    for index, row in enumerate(rows):
        y = top + gap + index * (tall + gap) + tall / 2
        pen.text((left - MARGIN, y), row, fill=(INK,) * 3, font=font, anchor="rm")
    widest = max((font.getlength(head) for head in heads), default=0)
    every = max(1, math.ceil((widest + MARGIN) / (wide + gap)))
    for index, head in enumerate(heads):
        if index % every == 0:
            at = (left + gap + index * (wide + gap) + wide / 2, top / 2 + 2)
            pen.text(at, head, fill=(INK,) * 3, font=font, anchor="mm")
    return np.array(drawn)


def captioned(picture: Pixels, words: str, share: float) -> Pixels:
    """A picture `(H, W, 3)` under words and a bar of which that share is done, `(H + 30, W, 3)`."""
    height, width, _ = picture.shape
    top = SIZE + 15
    canvas = np.full((height + top, width, 3), PAPER, np.uint8)
    canvas[top:] = picture
    drawn, font = Image.fromarray(canvas), _font()
    pen = ImageDraw.Draw(drawn)
    pen.text((MARGIN, top / 2 + 1), words, fill=(INK,) * 3, font=font, anchor="lm")
    first, last = 2 * MARGIN + font.getlength("step 00,000,000"), width - MARGIN - 1
    if last - first > 2 * MARGIN:
        y = top / 2 + 1
        pen.rectangle((first, y - 1, last, y + 1), fill=(FAINT,) * 3)
        pen.rectangle((first, y - 1, first + share * (last - first), y + 1), fill=(DONE,) * 3)
    return np.array(drawn)


def shrunk(picture: Pixels, width: int) -> Pixels:
    """The picture `(H, W, 3)`, smaller if it is wider than that."""
    image = Image.fromarray(picture)
    if image.width <= width:
        return picture
    size = (width, max(1, round(image.height * width / image.width)))
    return np.array(image.resize(size, Image.Resampling.LANCZOS))


def opened(path: str) -> Pixels:
    """A PNG, in RGB, `(H, W, 3)`. Raises OSError for what is none, or too large.

    No other kind is read: a file that calls itself so may be one that a program is run for.
    """
    if not Path(path).is_file():
        raise OSError("no regular file")
    try:
        with warnings.catch_warnings(), Path(path).open("rb") as file:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked
            image = Image.open(file, formats=["PNG"])
            if image.width * image.height > LARGEST:
                raise OSError(f"{image.width}x{image.height} pixels are too many")
            return np.array(image.convert("RGB"))
    except (Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise OSError(str(error)) from error


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=SIZE)
