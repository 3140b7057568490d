"""How far samples are from a law that is known: divergences of densities, and transport."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

from torch import Tensor

from gan_cli.dataset.source import Distribution
from gan_cli.metric import Estimate, Exam, Figure
from gan_cli.metric.cells import Array, jensen_shannon, kullback_leibler
from gan_cli.metric.law import Law, flat
from gan_cli.theory.transport import sliced, w1_line, wasserstein

ANGLES = 16
"""Directions onto which points are projected for the sliced distance."""

EXACT = 1000
"""Samples in the plane between which the exact transport is found."""


@dataclass(frozen=True)
class Divergences:
    """Divergences of G's density from the data's, where their law is known, and W1.

    Lin 1991, Divergence measures based on the Shannon entropy, for JS; Arjovsky et al. 2017, arXiv
    1701.07875, section 2, for what tells them apart. Samples on a line or in the plane are counted
    in cells and blurred as finely as their number allows, the law alike, so each divergence is a
    lower bound; a sampler that is the law reads `js_floor` as JS. KL(data, G) is the one that grows
    where G makes nothing, KL(G, data) where there are no data. W1 on a line is exact; in the plane
    `sliced_w1` is, over 16 directions, and `w1` is that between 1,000 samples of each, which is not
    0 for the law itself.

    Needs: a data set that is drawn from a law, such as dataset=ring, on a line or in the plane.
    Trouble: a JS near the floor is as good as this many samples can tell: more of them, --n.
    """

    figures: ClassVar[dict[str, Figure]] = {
        "js": Figure("Jensen-Shannon divergence", -1, 0.0, math.log(2), floored=True),
        "js_floor": Figure("  of the law's own samples", 0, 0.0, math.log(2)),
        "kl": Figure("KL(data, G)", -1, 0.0, floored=True),
        "reverse_kl": Figure("KL(G, data)", -1, 0.0, floored=True),
        "w1": Figure("W1", -1, 0.0, floored=True),
        "sliced_w1": Figure("sliced W1", -1, 0.0, floored=True),
    }

    def refuses(self, exam: Exam) -> str | None:
        """Where no law is known, or it is of neither a line nor a plane."""
        if exam.law is None:
            return "the law of these data is not known: dataset=ring, or another toy"
        if not flat(exam.law.shape):
            return f"densities are counted on a line or in the plane, not in {exam.law.shape}"
        return None

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """js, js_floor, kl, reverse_kl, w1, and in the plane sliced_w1; of the fakes, in nats."""
        assert exam.law is not None
        law = _law(_Known(repr(exam.law), exam.law), exam.seed, len(exam.real))
        x = exam.fake.x.double()
        told = {name: Estimate(one) for name, one in divergences(x, law.count(x), law).items()}
        return told | {"js_floor": Estimate(law.floor, 0.0)}  # whatever the fakes


def divergences(x: Tensor, q: Array, law: Law) -> dict[str, float]:
    """Of samples `(N, d)`, and q their blurred masses: three divergences, and `transport`."""
    p = law.masses
    return {
        "js": jensen_shannon(p, q),
        "js_floor": law.floor,
        "kl": kullback_leibler(p, q, len(x)),
        "reverse_kl": kullback_leibler(q, p, len(x)),
        **transport(x, law),
    }


def transport(x: Tensor, law: Law) -> dict[str, float]:
    """Distances of samples `(n, d)` from the law: W1 on a line; sliced W1, and W1, in the plane.

    W1 in the plane is that of the first 1,000 samples from as many of the data, which is not 0 for
    a perfect sampler either.
    """
    if law.quantiles is not None:
        return {"w1": w1_line(x, law.quantiles)}
    real = law.draw("value")
    return {
        "sliced_w1": sliced(x, real, 1, ANGLES, law.seed),
        "w1": wasserstein(x[:EXACT], real[:EXACT]),
    }


@dataclass(frozen=True)
class _Known:
    """A law by its parameters, as the fingerprint of its source has it."""

    said: str
    data: Distribution = field(compare=False)


@lru_cache(maxsize=1)
def _law(known: _Known, seed: int, size: int) -> Law:
    """Kept for the next block of the same samples: to know a law takes longest."""
    return Law(known.data, seed, size)
