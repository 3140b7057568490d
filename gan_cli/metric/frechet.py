"""The Fréchet distance between two sets of features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli.metric import Estimate, Exam, Figure, needs

RANK = 1e-7
"""Singular values below this share of the greatest are rounding."""


@dataclass(frozen=True)
class Frechet:
    """The Fréchet distance of features: FID, where the extractor is Inception.

    Heusel et al. 2017, arXiv 1706.08500, equation 6: of both sets of features the Gaussian with
    their moments, and the squared Wasserstein distance of these. It sees quality and variety at
    once, but nothing beyond the second moments. Its standard error is that of the infinitesimal
    jackknife (Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6): the
    spread of what each sample adds to the distance, the real ones given.

    Needs: features; several times more samples than these have numbers, and always as many.
    Trouble: a distance that falls with more samples alone: it is biased by about tr(S)·d/(2N), so
    compare it with its floor at the same n, or take metric=kid, which has no bias.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "frechet": Figure("Fréchet distance of features", -1, low=0, floored=True)
    }

    def refuses(self, exam: Exam) -> str | None:
        """Samples without features, or fewer than two, are refused."""
        return needs.features(exam)

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """The distance of the fakes' features from the real ones'."""
        real, fake = needs.seen(exam.real), needs.seen(exam.fake)
        p, q = Moments.of(real), Moments.of(fake)
        return {"frechet": Estimate(between(p, q), spread(p, q, fake))}


class Moments(NamedTuple):
    """The mean `(d,)` and covariance `(d, d)` of features, float64, and of how many, n."""

    mean: Tensor
    covariance: Tensor
    n: int

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """Of features `(N, d)`; the covariance divides by N - 1. ValueError for fewer than two."""
        if features.ndim != 2 or len(features) < 2:
            raise ValueError(
                f"features are (N, d) with N of 2 or more, not {tuple(features.shape)}"
            )
        h = features.double()
        mean = h.mean(0)
        rest = h - mean
        return cls(mean, rest.T @ rest / (len(h) - 1), len(h))


def distance(real: Tensor, fake: Tensor) -> float:
    """Fréchet distance of features `(N, d)` and `(M, d)`, of each the Gaussian of its moments.

    Heusel et al. 2017, arXiv 1706.08500, equation 6. It depends on N and M: a finite sample lies
    about tr(S)·d/(2N) too far, so compare equal numbers, of the same features.
    """
    return between(Moments.of(real), Moments.of(fake))


def between(p: Moments, q: Moments) -> float:
    """|m - n|² + tr S + tr T - 2 tr (S T)^½, the squared 2-Wasserstein distance of two Gaussians.

    Dowson and Landau 1982. Never below 0; covariances may be of less than full rank.
    """
    if p.mean.shape != q.mean.shape:
        raise ValueError(f"features of {len(p.mean)} and of {len(q.mean)} numbers")
    # tr (S T)^½ is the sum of the singular values of S^½ T^½: no root of a product that is not
    # symmetric, and no inverse
    overlap = torch.linalg.svdvals(_root(p.covariance) @ _root(q.covariance)).sum()
    apart = (p.mean - q.mean).square().sum()
    spread = p.covariance.trace() + q.covariance.trace()
    return max(0.0, float(apart + spread - 2 * overlap))


def spread(p: Moments, q: Moments, fake: Tensor) -> float:
    """The standard error of the distance of q from p, from the features `(M, d)` that q is of.

    The derivative of the distance in T, the covariance of q, is A = I - S^½ (S^½ T S^½)^-½ S^½;
    what sample y adds is 2 (n - m)·(y - n) + (y - n)ᵀ A (y - n), up to a constant.
    """
    root = _root(p.covariance)
    u, values, _ = torch.linalg.svd(root @ _root(q.covariance))
    inverse = torch.where(values > RANK * values[0], 1 / values, 0.0)
    a = torch.eye(len(values), dtype=torch.float64) - root @ (u * inverse) @ u.T @ root
    y = fake.double() - q.mean
    added = 2 * y @ (q.mean - p.mean) + ((y @ a) * y).sum(1)
    return float(added.std()) / math.sqrt(len(fake))


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root; eigenvalues below 0 are rounding, and count as 0."""
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
