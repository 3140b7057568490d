"""How alike fakes are to each other, by multi-scale structural similarity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan_cli.metric import Estimate, Exam, Figure, needs
from gan_cli.randomness import generator

BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The weights of the scales, finest first."""

WINDOW = 11
"""Pixels a side of the Gaussian window, whose deviation is 1.5."""

LEAST = 2 * WINDOW
"""Pixels a side that images have at least, or are enlarged to."""

CHUNK = 250
"""Pairs that are compared at once."""


@dataclass(frozen=True)
class MSSSIM:
    """The mean MS-SSIM of random pairs of fakes: the more alike they are, the higher.

    Odena et al. 2017, arXiv 1610.09585, section 4.3; the index of Wang et al. 2003, Multiscale
    structural similarity for image quality assessment, by torchmetrics. Each fake is in one pair at
    most, so the error is that of independent pairs. Five scales take images of 176 pixels; smaller
    ones get as many scales as their window fits into (2 of MNIST, 3 at 64 pixels), the first
    weights of (0.0448, 0.2856, 0.3001, 0.2363, 0.1333) over their sum, and below 22 pixels they
    are enlarged. So numbers for unlike sizes can't be compared.

    Needs: images; no extractor. Pairs are of any two classes, where the paper compares within one.
    Trouble: a value above the real samples' own, the floor: fakes are more alike, modes are
    missing. One below it is no better: noise is like nothing.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "ms_ssim": Figure("MS-SSIM of pairs of fakes", 0, low=-1, high=1)
    }

    pairs: int = 1000

    def __post_init__(self) -> None:
        needs.check_counts(pairs=self.pairs)

    def refuses(self, exam: Exam) -> str | None:
        """Points are refused, and fewer than four fakes."""
        return needs.pictures(exam) or needs.few(exam, 4)

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """The mean over pairs of fakes."""
        x, count = exam.fake.x, min(self.pairs, len(exam.fake) // 2)
        order = torch.randperm(len(x), generator=generator("ms_ssim", exam.seed))
        first, second = order[: 2 * count].view(2, count)
        return {"ms_ssim": needs.mean(ms_ssim(x[first], x[second]))}


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """The index of pairs of images in [-1, 1], `(N, C, H, W), (N, C, H, W) -> (N,)`."""
    from torchmetrics.functional.image import (  # 1 s
        multiscale_structural_similarity_index_measure as measure,
    )

    side = min(x.shape[2:])
    larger = max(1, math.ceil(LEAST / side))
    betas = weights(side * larger)
    parts = []
    for a, b in zip(x.split(CHUNK), y.split(CHUNK), strict=True):
        told = measure(
            _grown(a, larger),
            _grown(b, larger),
            data_range=2.0,
            betas=betas,
            reduction="none",
            normalize="relu",
        )
        parts.append(told)
    return torch.cat(parts)


def weights(side: int) -> tuple[float, ...]:
    """Those of as many scales as torchmetrics allows images of that side, 22 or more; their sum
    is 1."""
    most = max(
        count
        for count in range(1, len(BETAS) + 1)
        if side // max(1, count - 1) ** 2 >= WINDOW and side >> (count - 1) >= WINDOW
    )
    total = sum(BETAS[:most])
    return tuple(beta / total for beta in BETAS[:most])


def _grown(x: Tensor, times: int) -> Tensor:
    x = x.float() + 1  # whose mean brightness has no sign
    return interpolate(x, scale_factor=times, mode="bilinear") if times > 1 else x
