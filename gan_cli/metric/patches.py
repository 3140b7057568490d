"""Patches of the bands of a Laplacian pyramid, and the distance between two sets of them."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from gan_cli.randomness import generator

SIDES = (16, 32, 64, 128, 256, 512, 1024)
"""Pixels a side that a level can have."""

PATCH, PER_IMAGE = 7, 128
"""Pixels a side of a patch, and how many patches of an image at each level."""

TOGETHER = 16
"""Directions along which patches are projected at once; and those that the error is from."""


class Level(NamedTuple):
    """A band of the pyramid, along how many directions it is compared, and the seed of both."""

    side: int
    directions: int
    seed: int

    def patches(self, band: Tensor, whose: str) -> Tensor:
        """Patches at random places, `(N, C, s, s) -> (128 N, 49 C)`, each channel of all of them
        with mean 0 and deviation 1."""
        n, channels, side, _ = band.shape
        draw = generator("patches", self.seed, side, whose)
        corner = torch.randint(side - PATCH + 1, (2, n, PER_IMAGE, 1), generator=draw)
        step = torch.arange(PATCH)
        inside = (step[:, None] * side + step).flatten()
        index = ((corner[0] * side + corner[1]) + inside).view(n, 1, -1)
        found = band.flatten(2).gather(2, index.expand(-1, channels, -1))
        found = found.view(n, channels, PER_IMAGE, -1)
        found -= found.mean((0, 2, 3), keepdim=True)
        found /= found.std((0, 2, 3), keepdim=True).clamp(min=torch.finfo(found.dtype).tiny)
        return found.transpose(1, 2).reshape(n * PER_IMAGE, -1)

    def along(self, dim: int) -> Tensor:
        """Random directions `(directions, dim)`, of length 1."""
        draw = generator("directions", self.seed, self.side)
        way = torch.randn(self.directions, dim, generator=draw)
        return way / way.norm(dim=1, keepdim=True)


def compare(level: Level, real: Tensor, fake: Tensor, parts: int = 0) -> list[float]:
    """The sliced distance of two bands `(N, C, s, s)`, and those without one block of images each,
    of so many blocks; these along the first 16 directions alone."""
    a, b = level.patches(real, "real"), level.patches(fake, "fake")
    ways = level.along(a.shape[1])
    total = 0.0
    first: list[float] = []
    for way in ways.split(TOGETHER):
        x, y = (way @ a.T).numpy(), (way @ b.T).numpy()
        if parts and not first:
            image = np.arange(len(a)) // PER_IMAGE
            first = [_apart(x[:, keep], y[:, keep]) / len(way)
                     for keep in (image % parts != k for k in range(parts))]  # fmt: skip
        total += _apart(x, y)
    return [total / len(ways), *first]


def level_sides(shape: tuple[int, ...], side: int = 0) -> tuple[int, ...]:
    """The sides of the levels of images `(H, W)`, finest first, from `side` down; 0 for the least
    power of two that holds the image."""
    finest = side or next((s for s in SIDES if s >= max(shape)), SIDES[-1])
    return tuple(s for s in reversed(SIDES) if s <= finest)


def pyramid(x: Tensor, sides: tuple[int, ...], chunk: int = 256) -> list[Tensor]:
    """The bands of images `(N, C, H, W)`, the last one what is left at 16 pixels."""
    bands = [_bands(part, sides) for part in x.split(chunk)]
    return [torch.cat(band) for band in zip(*bands, strict=True)]


def _bands(x: Tensor, sides: tuple[int, ...]) -> list[Tensor]:
    finest = sides[0]
    if tuple(x.shape[2:]) != (finest, finest):
        x = interpolate(x.float(), size=(finest, finest), mode="bilinear", antialias=True)
    blurred = [x.float()]
    for _ in sides[1:]:
        blurred.append(_blur(blurred[-1])[..., ::2, ::2])
    bands = [fine - _up(coarse) for fine, coarse in pairwise(blurred)]
    return [*bands, blurred[-1]]


def _up(x: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    wide = x.new_zeros(n, channels, 2 * height, 2 * width)
    wide[..., ::2, ::2] = x
    return 4 * _blur(wide)


def _blur(x: Tensor) -> Tensor:
    """By the binomial filter of Burt and Adelson 1983, mirrored at the borders."""
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = torch.outer(line, line).expand(x.shape[1], 1, 5, 5)
    return conv2d(pad(x, (2, 2, 2, 2), mode="reflect"), kernel, groups=x.shape[1])


def _apart(x: np.ndarray, y: np.ndarray) -> float:
    """The sum over directions of W1 of projections `(directions, patches)`, by sorting them."""
    apart = np.sort(x, 1)  # numpy sorts floats twenty times as fast as torch
    apart -= np.sort(y, 1)
    return float(np.abs(apart, out=apart).mean(1).sum(dtype=np.float64))
