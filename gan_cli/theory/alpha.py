"""The α-divergences: one family through KL, Hellinger, reverse KL and both χ²."""

from __future__ import annotations

import math
from functools import lru_cache

from torch import Tensor
from torch.nn.functional import relu, softplus

from gan_cli.theory.generator import INF, Curve, Density, Divergence
from gan_cli.theory.tame import LIMIT, bend, unbend

FORMULA = "(u^α - 1 - α (u - 1)) / (α (α - 1))"


@lru_cache(maxsize=64)  # an order that anneals is another at each step
def alpha(a: float) -> Divergence:
    """The α-divergence: half of Pearson's at 2, half of Neyman's at -1, twice Hellinger's at 1/2.

    Nowozin et al. 2016, arXiv 1606.00709, Tables 5 and 6. Raises ValueError at 0 and 1, whose
    limits are reverse KL and KL, and nearer than 0.01 to them, where the powers lose their digits.
    """
    if not (math.isfinite(a) and abs(a) >= 0.01 and abs(a - 1) >= 0.01):
        raise ValueError(
            f"alpha is a number that is neither 0 (that is reverse_kl) nor 1 (kl), not {a}"
        )
    return _below(a) if a < 1 else _above(a)


def _below(a: float) -> Divergence:
    """α < 1: t < 1/(1 - α). What f* raises to a power is (1 - α) softplus(-v), as in Table 6.

    Only for α > 0 is that an exponential of v.
    """
    power, log_scale = a / (a - 1), math.log(1 - a)
    slower, faster = (bend, unbend) if a > 0 else (_same, _same)

    def raised(v: Tensor) -> Tensor:
        """The logarithm of that power."""
        return slower(power * (log_scale + _log_softplus(-v)))

    return Divergence(
        name="alpha",
        formula=FORMULA,
        domain=(-INF, 1 / (1 - a)),
        f=_f(a),
        slope=_slope(a),
        conjugate=lambda t: ((1 - (1 - a) * t).pow(power) - 1) / a,
        activation=lambda v: -(raised(v) / power).expm1() / (1 - a),
        cost=lambda v: raised(v).expm1() / a,
        optimum=lambda r: -_softplus_inverse(faster(a * r) / power - log_scale),
        density=_density(a),
    )


def _above(a: float) -> Divergence:
    """α > 1: any t; below -1/(α - 1), the slope of f at 0, f* is flat.

    Here T = v, and f* a power of 1 + (α - 1) v; from where it is e^10 on, its tangent.
    """
    power = a / (a - 1)
    edge = math.exp(LIMIT / power)

    def raised(v: Tensor) -> Tensor:
        """The logarithm of that power."""
        base = 1 + (a - 1) * v
        within = base.clamp(min=1e-30, max=edge)
        return power * within.log() + (power * relu(base / edge - 1)).log1p()

    def activation(v: Tensor) -> Tensor:
        return ((raised(v) / power).expm1() + (1 + (a - 1) * v).clamp(max=0)) / (a - 1)

    def optimum(r: Tensor) -> Tensor:
        log_base = (a - 1) * r
        beyond = edge * (power * relu(log_base - LIMIT / power)).expm1() / power
        return (log_base.clamp(max=LIMIT / power).expm1() + beyond) / (a - 1)

    return Divergence(
        name="alpha",
        formula=FORMULA,
        domain=(-INF, INF),
        f=_f(a),
        slope=_slope(a),
        conjugate=lambda t: ((1 + (a - 1) * t).clamp(min=0).pow(power) - 1) / a,
        activation=activation,
        cost=lambda v: raised(v).expm1() / a,
        optimum=optimum,
        density=_density(a),
    )


def _f(a: float) -> Curve:
    return lambda u: (u.pow(a) - 1 - a * (u - 1)) / (a * (a - 1))


def _slope(a: float) -> Curve:
    return lambda u: (u.pow(a - 1) - 1) / (a - 1)


def _density(a: float) -> Density:
    def density(log_p: Tensor, log_q: Tensor) -> Tensor:
        p, q = log_p.exp(), log_q.exp()
        return ((a * log_p + (1 - a) * log_q).exp() - q - a * (p - q)) / (a * (a - 1))

    return density


def _same(x: Tensor) -> Tensor:
    return x


def _log_softplus(x: Tensor) -> Tensor:
    """log log(1 + exp(x)), which is x far below 0."""
    return softplus(x.clamp(min=-30)).log() - relu(-30 - x)


def _softplus_inverse(log_b: Tensor) -> Tensor:
    """The x with log(1 + exp(x)) = b, from log b."""
    b = log_b.clamp(min=-30).exp()
    return b + (-(-b).expm1()).log() - relu(-30 - log_b)
