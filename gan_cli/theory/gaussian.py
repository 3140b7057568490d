"""Divergences and distances between two Gaussians on the line, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """N(mean, std²) on the real line."""

    mean: float
    std: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ValueError(f"N({self.mean}, {self.std}²) is no Gaussian")

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), `(M, 1) -> (M,)`."""
        z = (x.squeeze(-1) - self.mean) / self.std
        return -z.square() / 2 - math.log(self.std * math.sqrt(2 * math.pi))

    def cdf(self, x: float) -> float:
        """The probability of less than x."""
        return math.erfc((self.mean - x) / (self.std * math.sqrt(2))) / 2


def kl(p: Gaussian, q: Gaussian) -> float:
    """KL(p‖q), in nats."""
    ratio = p.std / q.std
    return (ratio**2 - 1 + ((p.mean - q.mean) / q.std) ** 2) / 2 - math.log(ratio)


def power(a: float, p: Gaussian, q: Gaussian) -> float:
    """∫ p^a q^(1 - a), inf where it has no end (Chernoff's coefficient, for 0 < a < 1)."""
    variance = a * q.std**2 + (1 - a) * p.std**2
    if variance <= 0:
        return math.inf
    log_scale = (1 - a) * math.log(p.std) + a * math.log(q.std) - math.log(variance) / 2
    return math.exp(log_scale - a * (1 - a) * (p.mean - q.mean) ** 2 / (2 * variance))


def alpha(a: float, p: Gaussian, q: Gaussian) -> float:
    """The α-divergence (Nowozin et al. 2016, arXiv 1606.00709, Table 5)."""
    return (power(a, p, q) - 1) / (a * (a - 1))


def pearson(p: Gaussian, q: Gaussian) -> float:
    """Pearson's χ², ∫ (p - q)²/q; e^(d²) - 1 for unit Gaussians at distance d."""
    return power(2, p, q) - 1


def hellinger(p: Gaussian, q: Gaussian) -> float:
    """The squared Hellinger distance without a half, ∫ (√p - √q)², at most 2."""
    return 2 - 2 * power(0.5, p, q)


def tv(p: Gaussian, q: Gaussian) -> float:
    """Total variation, ½ ∫ |p - q|: what the one has more of between the places where p = q."""
    edges = [-math.inf, *_crossings(p, q), math.inf]
    parts = [(p.cdf(b) - p.cdf(a)) - (q.cdf(b) - q.cdf(a)) for a, b in pairwise(edges)]
    return sum(abs(part) for part in parts) / 2


def w1(p: Gaussian, q: Gaussian) -> float:
    """Wasserstein-1: the mean of |shift + (difference of scales) z|, z standard normal."""
    shift, scale = abs(p.mean - q.mean), abs(p.std - q.std)
    if scale == 0:
        return shift
    z = shift / scale
    bell = math.sqrt(2 / math.pi) * math.exp(-(z**2) / 2)
    return scale * bell + shift * math.erf(z / math.sqrt(2))


def w2(p: Gaussian, q: Gaussian) -> float:
    """Wasserstein-2: the hypotenuse of the differences of mean and of scale."""
    return math.hypot(p.mean - q.mean, p.std - q.std)


def _crossings(p: Gaussian, q: Gaussian) -> list[float]:
    """Where p = q, in order: the roots of a x² + 2 b x + c = 2 log p/q."""
    a = q.std**-2 - p.std**-2
    b = p.mean / p.std**2 - q.mean / q.std**2
    c = (q.mean / q.std) ** 2 - (p.mean / p.std) ** 2 + 2 * math.log(q.std / p.std)
    if a == 0:
        return [-c / (2 * b)] if b else []
    half = math.sqrt(max(0.0, b * b - a * c))
    far = -b - math.copysign(half, b)
    return sorted([far / a, c / far] if far else [0.0])
