"""The nearest training images of samples, and whether samples are copies of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.dataset.source import Resident
from gan_cli.dataset.stream import Streamed

CHUNK = 2048
"""Training images that are compared together."""

SPARE = 8
"""Candidates beyond k, of which the distances are computed again exactly."""

MANY = 0.05
"""The share of samples that are copies, above which it is no chance; 0.01 of new images are."""

FEW = 0.05
"""The share of samples nearer than the median held-out image, below which they are like none."""

Stored = Resident | Streamed
"""Images that can be picked by number."""


class Nearest(NamedTuple):
    """Of each sample its k nearest images, nearest first.

    distance `(N, k)` float64: the root of the mean squared difference of pixels in [-1, 1], so
    that 2 is black against white, whatever the size. numbers `(N, k)` int64: which images.
    """

    distance: Tensor
    numbers: Tensor


def nearest(x: Tensor, images: Stored, k: int = 1) -> Nearest:
    """The k nearest of the images to samples x `(N, C, H, W)` in [-1, 1], by pixels, exactly.

    Every image is compared, in chunks. Of images that are mirrored in training, the nearer of both
    ways counts. ValueError for samples of another shape.
    """
    if tuple(x.shape[1:]) != tuple(images.shape):
        raise ValueError(f"samples of {tuple(x.shape[1:])}, and images of {tuple(images.shape)}")
    k = min(k, images.length)
    views = [x.detach().cpu().float()]
    views += [views[0].flip(-1)] * images.mirror
    best = torch.full((len(x), 0), math.inf)
    index = torch.zeros((len(x), 0), dtype=torch.int64)
    for start in range(0, images.length, CHUNK):
        numbers = torch.arange(start, min(start + CHUNK, images.length))
        y = take(images, numbers).flatten(1)
        squared = torch.stack([_squared(view.flatten(1), y) for view in views]).amin(0)
        best = torch.cat([best, squared], 1)
        index = torch.cat([index, numbers.expand(len(x), -1)], 1)
        best, chosen = best.topk(min(k + SPARE, best.shape[1]), largest=False)
        index = index.gather(1, chosen)
    return _exact(views, images, index, k)


def take(images: Stored, numbers: Tensor) -> Tensor:
    """The images of these numbers `(n,)`, float in [-1, 1], `(n, C, H, W)`; not mirrored."""
    if isinstance(images, Resident):
        picked = images.images[numbers]
    else:
        picked = torch.stack([images.images[number] for number in numbers.tolist()])
    return picked.float().div_(127.5).sub_(1)


@dataclass(frozen=True)
class Memorised:
    """How near samples lie to the training images, against held-out images of the same kind.

    median, median_held_out: of the distances. ratio: of these. nearer: the share of samples nearer
    than the median of the held-out images; 1/2 of samples that are as new as they. copies: the
    share nearer than all but 1 % of the held-out images; 0.01 of new ones. z: the Mann-Whitney
    statistic of both sets of distances, standardised: about normal for samples as new as the
    held-out images, far below 0 for copies, far above for samples that are like no image.
    Meehan, Chaudhuri and Dasgupta 2020, arXiv 2004.05675, section 3, the whole space as one cell.

    A blurred picture is near to many: so z below 0 without copies says smooth, not copied.
    """

    median: float
    median_held_out: float
    ratio: float
    nearer: float
    copies: float
    z: float

    @classmethod
    def of(cls, samples: Tensor, held_out: Tensor) -> Memorised:
        """From distances to the nearest training image, `(M,)` of samples and `(N,)` held out."""
        if not len(samples) or not len(held_out):
            raise ValueError(f"{len(samples)} samples against {len(held_out)} held-out images")
        made, new = samples.double().contiguous(), held_out.double().contiguous()
        middle, other = made.median(), new.median()
        return cls(
            float(middle),
            float(other),
            float(middle / other) if other > 0 else math.inf,
            float((made < other).double().mean()),
            float((made < new.quantile(0.01)).double().mean()),
            mann_whitney(made, new),
        )

    @property
    def copied(self) -> bool:
        """Whether more samples are copies than chance makes look so."""
        return self.copies > MANY

    @property
    def far(self) -> bool:
        """Whether the samples are like no training image: beyond most of the held-out ones."""
        return self.nearer < FEW


def memorised(x: Tensor, images: Stored, held_out: Tensor) -> Memorised:
    """Whether samples x are copies of the training images; held_out `(N, C, H, W)` in [-1, 1]."""
    return Memorised.of(nearest(x, images).distance[:, 0], nearest(held_out, images).distance[:, 0])


def mann_whitney(a: Tensor, b: Tensor) -> float:
    """(U - mn/2) / √(mn(m + n + 1)/12), U the number of pairs in which a is the larger.

    `(m,), (n,)`; equal ones count half. Mann and Whitney 1947. Below 0 where a tends to be smaller.
    """
    order = b.sort()[0]
    below = torch.searchsorted(order, a)
    equal = torch.searchsorted(order, a, right=True) - below
    u = float((below + 0.5 * equal).sum())
    m, n = len(a), len(b)
    return (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def _squared(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances, `(N, d), (M, d) -> (N, M)`, with the rounding of a product."""
    return torch.addmm(y.square().sum(1).expand(len(x), -1), x, y.T, alpha=-2)


def _exact(views: list[Tensor], images: Stored, index: Tensor, k: int) -> Nearest:
    """The k nearest of the candidates `(N, ≥k)`, each distance computed from the difference."""
    distances = []
    for number, candidates in enumerate(index):
        y = take(images, candidates).double()
        each = [(view[number].double() - y).square().flatten(1).mean(1) for view in views]
        distances.append(torch.stack(each).amin(0).sqrt())
    near, chosen = torch.stack(distances).sort(dim=1, stable=True)
    return Nearest(near[:, :k], index.gather(1, chosen)[:, :k])
