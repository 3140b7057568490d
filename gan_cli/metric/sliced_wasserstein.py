"""The sliced Wasserstein distance of small patches, level by level of a Laplacian pyramid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.metric import Estimate, Exam, Figure, needs
from gan_cli.metric.measure import BLOCKS
from gan_cli.metric.patches import SIDES, Level, compare, level_sides, pyramid

SCALE = 1000.0
"""What distances are multiplied by when they are told, as in the paper."""


def _name(side: int) -> str:
    return f"sliced_wasserstein_{side}"


@dataclass(frozen=True)
class SlicedWasserstein:
    """How unlike the patches of fakes are to those of real images, in each band of detail.

    Karras et al. 2018, arXiv 1710.10196, section 5 and appendix G: of a Laplacian pyramid from the
    full side down to 16 pixels, 128 patches of 7×7 an image and level at random places, normalised
    by channel; the mean |sorted difference| along random `directions`, times 1000. Each level has
    its figure, sliced_wasserstein_16, _32, …, and sliced_wasserstein is their mean. The finest is
    that of edges and noise, 16 that of the whole.

    Levels are powers of two: images are brought to `side` pixels (bilinear), or where it is 0 to
    the least power of two that holds them, 32 of MNIST, 16 of digits. At most `images` of each
    kind, as many of both; the paper takes 16,384, and 512 directions. Errors are by the jackknife
    over the images, real and fake ones at once, along 16 of the directions.

    Needs: images; no extractor. Its value depends on how many images, so compare equal numbers.
    Trouble: a distance of the order of its floor, about 4 of 4,096 images of MNIST, is none. It
    sees no arrangement beyond a patch, so see metric=frechet too. Slow: fewer images.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "sliced_wasserstein": Figure(
            "sliced Wasserstein distance of patches, ×1000", -1, low=0, floored=True
        )
    } | {_name(side): Figure(f"  at {side} pixels", -1, low=0, floored=True) for side in SIDES}

    images: int = 4096
    side: int = 0
    directions: int = 128

    def __post_init__(self) -> None:
        needs.check_counts(images=self.images, directions=self.directions)
        if self.side not in (0, *SIDES):
            raise ValueError(f"side is 0 or one of {', '.join(map(str, SIDES))}, not {self.side}")

    def refuses(self, exam: Exam) -> str | None:
        """Points are refused."""
        return needs.pictures(exam) or needs.few(exam, 2)

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """The mean over the levels, and each."""
        n = min(self.images, len(exam.real), len(exam.fake))
        sides = level_sides(tuple(exam.fake.x.shape[2:]), self.side)
        parts = BLOCKS if n >= 2 * BLOCKS else 0
        bands = zip(
            sides, pyramid(exam.real.x[:n], sides), pyramid(exam.fake.x[:n], sides), strict=True
        )
        told = [self._level(side, real, fake, exam.seed, parts) for side, real, fake in bands]
        whole, *without = [
            {_name(side): SCALE * level[part] for side, level in zip(sides, told, strict=True)}
            for part in range(parts + 1)
        ]
        for figures in (whole, *without):
            figures["sliced_wasserstein"] = sum(figures.values()) / len(sides)
        found = needs.estimates(whole, without)
        return {name: found[name] for name in self.figures if name in found}

    def _level(self, side: int, real: Tensor, fake: Tensor, seed: int, parts: int) -> list[float]:
        level = Level(side, self.directions, seed)
        return compare(level, real, fake, parts)
