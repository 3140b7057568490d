"""Precision, recall, density and coverage: whose neighbourhood holds whom."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.metric import Estimate, Exam, Figure, needs
from gan_cli.metric.measure import BLOCKS

ROOM = 1 << 22
"""Distances that are held in memory at once."""


@dataclass(frozen=True)
class PRDC:
    """Quality and variety apart, by balls around samples that reach to their k-th neighbour.

    precision, recall: Kynkäänniemi et al. 2019, arXiv 1904.06991, equations 1 and 2, the share of
    fakes in any ball of a real sample, and of real samples in any ball of a fake. density,
    coverage: Naeem et al. 2020, arXiv 2002.09797, equations 3 and 4, how many balls of real samples
    hold a fake, over k, and the share of these balls that hold any. k is 5 as in the second paper,
    3 in the first. At most `most` samples of each kind are looked at, the first ones, and every
    number depends on how many. Real against real, density is 1, and coverage 1 - 2^-k.

    Needs: features; more than k samples. Errors are by the jackknife over the fakes.
    Trouble: precision 1 and density above 1 for noise: in features of a classifier it lies amidst
    everything, so believe neither without recall and coverage. Recall near 1 of fakes that are
    few or far apart: their balls are large; coverage is the surer of the two.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "precision": Figure("share of fakes that look real", 1, low=0, high=1),
        "recall": Figure("share of real samples that could be fakes", 1, low=0, high=1),
        "density": Figure("real neighbourhoods that hold a fake, over k", 0, low=0),
        "coverage": Figure("share of real neighbourhoods with a fake", 1, low=0, high=1),
    }

    k: int = 5
    most: int = 5000

    def __post_init__(self) -> None:
        needs.check_counts(k=self.k, most=self.most)
        if self.most <= self.k:
            raise ValueError(
                f"{self.k} neighbours take more than {self.most} samples: most above k"
            )

    def refuses(self, exam: Exam) -> str | None:
        """Samples without features, or too few for k neighbours, are refused."""
        return needs.features(exam, self.k + 1)

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """All four."""
        real = needs.seen(exam.real.pick(torch.arange(min(len(exam.real), self.most))))
        fake = needs.seen(exam.fake.pick(torch.arange(min(len(exam.fake), self.most))))
        count = BLOCKS if len(fake) - len(fake) // BLOCKS > self.k + 1 else 0
        whole, *parts = prdc(real, fake, self.k, count)
        return needs.estimates(whole, parts if len(fake) >= 2 * BLOCKS else [])


def prdc(real: Tensor, fake: Tensor, k: int, count: int = 0) -> list[dict[str, float]]:
    """The four numbers of features `(N, d)` and `(M, d)`; then those without one block of the fakes
    each, of so many blocks. ValueError for k samples or fewer."""
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"{k} neighbours among {len(real)} and {len(fake)} samples")
    block = torch.arange(len(fake)) % max(count, 1)
    left_out = torch.stack([torch.zeros(len(fake), dtype=torch.bool)] +
                           [block == b for b in range(count)])  # fmt: skip
    inner = _radii(real, k, left_out[:1, :1].expand(1, len(real)))[0]
    outer = _radii(fake, k, left_out).masked_fill(left_out, -1.0)
    held = torch.zeros(len(fake), dtype=torch.int64)  # of each fake, by how many real ones
    touched = torch.zeros(len(fake), dtype=torch.bool)
    recalled, covered = torch.zeros(2, count + 1, dtype=torch.int64)
    for x, radius in zip(_split(real, fake), _split(inner, fake), strict=True):
        distance = torch.cdist(x, fake)
        inside = distance < radius[:, None]
        held += inside.sum(0)
        touched |= (distance <= radius[:, None]).any(0)
        for number, (reach, out) in enumerate(zip(outer, left_out, strict=True)):
            recalled[number] += (distance <= reach).any(1).sum()
            covered[number] += (inside & ~out).any(1).sum()
    return [
        {
            "precision": float(touched[~out].double().mean()),
            "recall": int(recalled[number]) / len(real),
            "density": float(held[~out].double().mean()) / k,
            "coverage": int(covered[number]) / len(real),
        }
        for number, out in enumerate(left_out)
    ]


def _radii(x: Tensor, k: int, left_out: Tensor) -> Tensor:
    """The distance of each sample to its k-th neighbour, where some are left out `(B, N)`:
    `(N, d) -> (B, N)`."""
    parts = []
    for y in _split(x, x):
        distance = torch.cdist(y, x)
        near = [
            distance.masked_fill(out, math.inf).topk(k + 1, largest=False).values[:, k]
            for out in left_out
        ]  # the nearest is the sample itself
        parts.append(torch.stack(near))
    return torch.cat(parts, 1)


def _split(x: Tensor, others: Tensor) -> tuple[Tensor, ...]:
    """Parts of x whose distances to the others fit into memory."""
    return x.split(max(1, ROOM // len(others)))
