"""Pictures as characters: what a terminal can show of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style


def drawn(
    image: np.ndarray, height: int, width: int, colour: bool, unicode: bool
) -> Iterator[Segment]:
    """A picture `(H, W, C)` of uint8 as lines of at most `width` characters, for `height` pixels.

    Two pixels a character where there is colour, else one shade for both.
    """
    pixels = shrunk(image, height, width)
    shades = " ░▒▓█" if unicode else " .:-=+*#%@"
    return _half_blocks(pixels) if colour and unicode else _shaded(pixels, shades)


def shrunk(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The image as `(h, w, 3)` means of blocks, at most `height` by `width`, in its shape."""
    colours = image if image.ndim == 3 else image[..., None]
    colours = np.repeat(colours[..., :1], 3, axis=2) if colours.shape[2] < 3 else colours[..., :3]
    scale = min(1.0, height / len(image), width / image.shape[1])
    pixels = colours.astype(np.float64)
    for axis in (0, 1):
        length = pixels.shape[axis]
        edges = np.linspace(0, length, max(1, int(length * scale)) + 1).astype(int)
        sizes = np.diff(edges).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        pixels = np.add.reduceat(pixels, edges[:-1], axis=axis) / sizes
    return pixels.round().astype(np.uint8)


def _half_blocks(pixels: np.ndarray) -> Iterator[Segment]:
    """Two rows of pixels a line: the upper is the colour of the sign, the lower its ground."""
    for upper in range(0, len(pixels), 2):
        for x, top in enumerate(pixels[upper]):
            below = pixels[upper + 1][x] if upper + 1 < len(pixels) else None
            ground = None if below is None else Color.from_rgb(*below)
            yield Segment("▀", Style(color=Color.from_rgb(*top), bgcolor=ground))
        yield Segment.line()


def _shaded(pixels: np.ndarray, shades: str) -> Iterator[Segment]:
    """Two rows of pixels a line, each pair as a shade of its mean light."""
    light = pixels.mean(axis=2)
    for upper in range(0, len(light), 2):
        level = light[upper : upper + 2].mean(axis=0) * (len(shades) / 256)
        yield Segment("".join(shades[int(v)] for v in level))
        yield Segment.line()
