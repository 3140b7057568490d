"""The Fréchet distance between two sets of features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


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


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root; eigenvalues below 0 are rounding, and count as 0."""
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
