"""Samples beside their nearest training images, and whether they are copies of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_cli.dataset.source import Source
from gan_cli.errors import UserMistake
from gan_cli.metric.neighbours import Memorised, Nearest, Stored, nearest, take
from gan_cli.plot.grid import Pixels, default_scale, grid
from gan_cli.randomness import generator

ROWS, BLOCKS = 10, 2
"""Samples below one another, and such columns side by side."""

NEAREST = 5
"""Training images beside each sample."""

HELD_OUT = 1000
"""Held-out images that are compared, at most."""

GROUND = 255
"""The white between a sample and its neighbours, and between the blocks."""


def draw(samples: Tensor, train: Source, held_out: Source | None = None) -> tuple[Pixels, str]:
    """A picture of the samples nearest to the training images, and what there is to say of all.

    samples `(N, C, H, W)` in [-1, 1]; of `held_out`, images that were not trained on, at most 1000
    are compared. The picture has a row for each sample, the nearest first: the sample, and beside
    it its nearest training images. UserMistake where the data can't be compared.
    """
    images = stored(train)
    if tuple(samples.shape[1:]) != tuple(images.shape):
        raise UserMistake(
            f"the samples have shape {_size(samples.shape[1:])} and the data "
            f"{_size(images.shape)}: name the data set and the settings that it was trained with"
        )
    found = nearest(samples, images, NEAREST)
    text = _distances(found)
    if held_out is not None:
        others = _some(stored(held_out))
        text = _verdict(Memorised.of(found.distance[:, 0], nearest(others, images).distance[:, 0]))
    return _picture(samples, images, found), text


def stored(source: Source) -> Stored:
    """The source, if its images can be picked by number; else UserMistake."""
    if not isinstance(source, Stored):
        raise UserMistake("there are no training images to compare with: these data are drawn anew")
    return source


def _some(images: Stored) -> Tensor:
    order = torch.randperm(images.length, generator=generator("held out"))
    return take(images, order[:HELD_OUT].sort()[0])


def _picture(samples: Tensor, images: Stored, found: Nearest) -> Pixels:
    order = found.distance[:, 0].argsort()[: ROWS * BLOCKS]
    _, height, width = samples.shape[1:]
    columns = (NEAREST + 1) * BLOCKS
    scale = default_scale(height, width, columns)
    blocks: list[Pixels] = []
    for rows in order.split(ROWS):
        beside = take(images, found.numbers[rows].flatten())
        left = grid(samples[rows], 1, scale)
        right = grid(beside, found.numbers.shape[1], scale)
        blocks += [left, _gap(left, 6), right, _gap(left, 24)]
    tallest = len(blocks[0])
    return np.concatenate([_padded(block, tallest) for block in blocks[:-1]], axis=1)


def _gap(beside: Pixels, width: int) -> Pixels:
    return np.full((len(beside), width, 3), GROUND, np.uint8)


def _padded(block: Pixels, height: int) -> Pixels:
    rest = np.full((height - len(block), block.shape[1], 3), GROUND, np.uint8)
    return np.concatenate([block, rest])


def _distances(found: Nearest) -> str:
    near = found.distance[:, 0]
    return (
        f"{len(near)} samples: the nearest training image is {float(near.median()):.3f} away "
        f"(median; root mean square of pixels in [-1, 1]), {float(near.min()):.3f} at the least"
    )


def _verdict(seen: Memorised) -> str:
    if seen.copied:
        verdict = "copies of training images are among them"
    elif seen.far:
        verdict = "no copies; like no training image, further off than new images are"
    else:
        verdict = "no copies"
    return (
        f"{verdict}\n"
        f"nearest training image: {seen.median:.3f} away (median), of held-out images "
        f"{seen.median_held_out:.3f}: a ratio of {seen.ratio:.2f}\n"
        f"nearer than the median held-out image: {100 * seen.nearer:.0f} % (50 % of new images)\n"
        f"nearer than all but 1 % of held-out images: {100 * seen.copies:.0f} % (1 % of new ones)\n"
        f"Mann-Whitney z = {seen.z:+.1f} (about 0 of new images, far below for copies)"
    )


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
