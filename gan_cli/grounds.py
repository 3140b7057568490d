"""Whether images look like the samples of a generator at all: their grounds, light or dark."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from gan_cli.sampler import Sampler
from gan_cli.strict import clean

SEEN = 16
"""Samples that images are compared with, before they are inverted."""

BLANK = 0.02
"""Between the largest and the smallest value of an image in which nothing is to be seen."""

APART = 0.25
"""Minus the product of two medians, one of an image and one of samples: dark, and light."""


def notes(sampler: Sampler, x: Tensor, names: Sequence[str]) -> list[str]:
    """What is odd about images `(N, C, H, W)` as they were read, a line for each that is.

    A blank one, or one that is dark on light where samples are light on dark; the ground is the
    median.
    """
    if x.shape[1] not in (1, 3):
        return []
    usual = float(sampler.sample(SEEN, 0).flatten(1).median(1).values.median())
    told = []
    for name, image in zip(names, x, strict=True):
        ground, shown = float(image.median()), clean(name, 48)
        if float(image.max() - image.min()) < BLANK:
            told.append(f"{shown} is of one colour once what is transparent is laid on white")
        elif ground * usual < -APART:
            ways = ["dark on light", "light on dark"]
            picture, samples = ways if ground > 0 else reversed(ways)
            told.append(
                f"{shown}: the picture is {picture}, and the samples are {samples}: "
                "invert its colours"
            )
    return told
