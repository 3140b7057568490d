"""A folder of JPEGs to read, textured as photographs are, so that decoding costs what it costs.

    python benchmarks/photos.py DIRECTORY 20000

The size is that of CelebA's aligned faces, 178×218; the pixels are noise of every scale, of which
the coarse is stronger (1/f), in colours that vary together. The same files each time.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT, QUALITY = 178, 218, 75
BOARDS, SIDE = 12, 512
"""Textures that the images are cut from, two each, and their side in pixels."""

FALL = 0.78
"""Strength of an octave against the one before: files of 7 KB, as those of photographs."""

FEW = 1000
"""Images that one process draws as fast as several."""

Pixels = NDArray[np.float32]


@cache
def board(number: int) -> Pixels:
    """A texture `(SIDE, SIDE, 3)` with mean 0: octaves of noise, each weaker."""
    random = np.random.default_rng([7, number])
    made = np.zeros((SIDE, SIDE, 3), np.float32)
    for octave in range(1, 10):
        cells = 2**octave
        gray = random.standard_normal((cells, cells, 1))
        noise = (gray + 0.4 * random.standard_normal((cells, cells, 3))).astype(np.float32)
        layers = [Image.fromarray(noise[..., c]) for c in range(3)]
        drawn = [np.asarray(one.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for one in layers]
        made += FALL**octave * np.stack(drawn, -1)
    return made / made.std()


def photo(number: int) -> Image.Image:
    """The image of that number."""
    random = np.random.default_rng([11, number])
    made = np.full((HEIGHT, WIDTH, 3), 120.0, np.float32) + 30 * random.standard_normal(3)
    for strength in (42.0, 18.0):
        top, left = random.integers(SIDE - HEIGHT), random.integers(SIDE - WIDTH)
        texture = board(int(random.integers(BOARDS)))
        made += strength * texture[top : top + HEIGHT, left : left + WIDTH]
    return Image.fromarray(made.clip(0, 255).astype(np.uint8))


def write(numbers: tuple[int, ...], place: Path) -> None:
    """Those of the images, as files."""
    for number in numbers:
        photo(number).save(place / f"{number:06d}.jpg", quality=QUALITY)


def folder(scratch: Path, n: int) -> Path:
    """A directory with n images in its folder `photos`; it is made once."""
    place = scratch / f"photos-{n}"
    if place.is_dir():
        return place
    for trial in count():
        part = scratch / f"photos-{n}.part-{trial}"
        if not part.exists():
            break
    (part / "photos").mkdir(parents=True)
    draw = partial(write, place=part / "photos")
    if n <= FEW:
        draw(tuple(range(n)))
    else:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            list(pool.map(draw, chunks(n)))
    part.rename(place)
    return place


def chunks(n: int, size: int = 250) -> list[tuple[int, ...]]:
    """The numbers below n, so many at a time."""
    return [tuple(range(first, min(first + size, n))) for first in range(0, n, size)]


if __name__ == "__main__":
    sys.stdout.write(f"{folder(Path(sys.argv[1]), int(sys.argv[2]))}\n")
