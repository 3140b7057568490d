"""The f-divergences of f-GAN, in one table.

D_f(P‖Q) = ∫ q f(p/q) for a convex f; P is the data, Q the model, u = p/q. A convex f lies above
its tangents; the tangent of slope t meets the axis at -f*(t), where f*(t) = sup_u (t u - f(u)) is
the conjugate. So f(u) ≥ t u - f*(t), and for every function T of x

    D_f(P‖Q) ≥ E_P T(x) - E_Q f*(T(x)),   with equality at T = f'(p/q).

T must stay in the domain of f*, so T = g_f(v) with D's raw output v and an increasing g_f from R
into that domain (Nowozin et al. 2016, arXiv 1606.00709, equations 4 to 6, Tables 1, 2 and 6).

Two conventions are the paper's and differ from other books: `js` is not halved, it is twice the
Jensen-Shannon divergence; `gan` is that less log 4, the one entry with f(1) ≠ 0. `pearson` is
∫ (p - q)²/q, `neyman` ∫ (p - q)²/p. Pearson's f is a parabola on all of R, negative u too: hence
the conjugate of the paper, which rises again below t = -2.

Which increasing g_f is taken is free. Where an exponential of the paper's would overflow, the raw
output goes on in a logarithmic scale (`tame.bend`), in g_f and so in f*(g_f): f* is untouched,
every T can still be said, and the bound holds as it stands. Up to |v| = 10 all is as in the paper
(`alpha` bends where f* is e^10).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.theory.alpha import alpha
from gan_cli.theory.generator import INF, Divergence, times
from gan_cli.theory.lambert import log_w
from gan_cli.theory.tame import bend, grow, unbend

__all__ = ["DIVERGENCES", "NAMES", "Divergence", "alpha", "named"]

LOG2 = math.log(2)
SURE = 20.0  # tanh is 1 to every digit of float64


def named(name: str, a: float) -> Divergence:
    """The divergence of this name; `a` is the α of `alpha` alone. ValueError if there is none."""
    if name not in NAMES:
        raise ValueError(f"no divergence is called {name!r}; there are {', '.join(NAMES)}")
    return DIVERGENCES.get(name) or alpha(a)


def _steep(v: Tensor) -> Tensor:
    """v, bent on both sides."""
    return -bend(-bend(v))


def _jeffreys_cost(v: Tensor) -> Tensor:
    """1/s - 1 - log s with s = W(exp(1 - t)), the q/p that t stands for; W is Lambert's.

    The paper's W + 1/W + t - 2, by log W + W = 1 - t: without its cancellations.
    """
    log_s = log_w(-bend(v - 1))
    return (-log_s).expm1() - log_s


TABLE = (
    Divergence(
        name="kl",
        formula="u log u",
        domain=(-INF, INF),
        f=lambda u: torch.xlogy(u, u),
        slope=lambda u: 1 + u.log(),
        conjugate=lambda t: (t - 1).exp(),
        activation=lambda v: 1 + bend(v - 1),
        cost=lambda v: grow(v - 1),
        optimum=lambda r: 1 + unbend(r),
        density=lambda log_p, log_q: times(log_p, log_p - log_q),
    ),
    Divergence(
        name="reverse_kl",
        formula="-log u",
        domain=(-INF, 0),
        f=lambda u: -u.log(),
        slope=lambda u: -1 / u,
        conjugate=lambda t: -1 - (-t).log(),
        activation=lambda v: -grow(-v),
        cost=lambda v: -bend(-v) - 1,
        optimum=lambda r: -unbend(-r),
        density=lambda log_p, log_q: times(log_q, log_q - log_p),
    ),
    Divergence(
        name="js",
        formula="u log u - (u + 1) log((u + 1)/2)",
        domain=(-INF, LOG2),
        f=lambda u: torch.xlogy(u, u) - torch.xlogy(u + 1, (u + 1) / 2),
        slope=lambda u: (2 * u / (u + 1)).log(),
        conjugate=lambda t: -(2 - t.exp()).log(),
        activation=lambda v: LOG2 - softplus(-v),
        cost=lambda v: softplus(v) - LOG2,
        optimum=lambda r: r,
        density=lambda log_p, log_q: (
            times(log_p, LOG2 - softplus(log_q - log_p))
            + times(log_q, LOG2 - softplus(log_p - log_q))
        ),
    ),
    Divergence(
        name="gan",
        formula="u log u - (u + 1) log(u + 1)",
        domain=(-INF, 0),
        f=lambda u: torch.xlogy(u, u) - torch.xlogy(u + 1, u + 1),
        slope=lambda u: (u / (u + 1)).log(),
        conjugate=lambda t: -(-t.expm1()).log(),
        activation=lambda v: -softplus(-v),
        cost=softplus,
        optimum=lambda r: r,
        density=lambda log_p, log_q: (
            times(log_p, -softplus(log_q - log_p)) + times(log_q, -softplus(log_p - log_q))
        ),
    ),
    Divergence(
        name="pearson",
        formula="(u - 1)²",
        domain=(-INF, INF),
        f=lambda u: (u - 1).square(),
        slope=lambda u: 2 * (u - 1),
        conjugate=lambda t: (t / 2).square() + t,
        activation=lambda v: v,
        cost=lambda v: (v / 2).square() + v,
        optimum=lambda r: 2 * r.expm1(),
        density=lambda log_p, log_q: (2 * log_p - log_q).exp() - 2 * log_p.exp() + log_q.exp(),
    ),
    Divergence(
        name="neyman",
        formula="(u - 1)²/u",
        domain=(-INF, 1),
        f=lambda u: (u - 1).square() / u,
        slope=lambda u: 1 - u.pow(-2),
        conjugate=lambda t: 2 - 2 * (1 - t).sqrt(),
        activation=lambda v: 1 - grow(-v),
        cost=lambda v: -2 * (bend(-v) / 2).expm1(),
        optimum=lambda r: -unbend(-2 * r),
        density=lambda log_p, log_q: (2 * log_q - log_p).exp() - 2 * log_q.exp() + log_p.exp(),
    ),
    Divergence(
        name="hellinger",
        formula="(√u - 1)²",
        domain=(-INF, 1),
        f=lambda u: (u.sqrt() - 1).square(),
        slope=lambda u: 1 - u.rsqrt(),
        conjugate=lambda t: t / (1 - t),
        activation=lambda v: -(-_steep(v)).expm1(),
        cost=lambda v: _steep(v).expm1(),
        optimum=lambda r: unbend(-unbend(-r / 2)),
        density=lambda log_p, log_q: ((log_p / 2).exp() - (log_q / 2).exp()).square(),
    ),
    Divergence(
        name="tv",
        formula="|u - 1|/2",
        domain=(-0.5, 0.5),
        f=lambda u: (u - 1).abs() / 2,
        slope=lambda u: (u - 1).sign() / 2,
        conjugate=lambda t: t.masked_fill(t.abs() > 0.5, INF),
        activation=lambda v: v.tanh() / 2,
        cost=lambda v: v.tanh() / 2,
        optimum=lambda r: SURE * r.sign(),
        density=lambda log_p, log_q: (log_p.exp() - log_q.exp()).abs() / 2,
    ),
    Divergence(
        name="jeffreys",
        formula="(u - 1) log u",
        domain=(-INF, INF),
        f=lambda u: (u - 1) * u.log(),
        slope=lambda u: 1 + u.log() - 1 / u,
        conjugate=lambda t: log_w(1 - t).exp() + (-log_w(1 - t)).exp() + t - 2,
        activation=lambda v: 1 + bend(v - 1),
        cost=_jeffreys_cost,
        optimum=lambda r: 1 + unbend(r - (-r).exp()),
        density=lambda log_p, log_q: times(log_p, log_p - log_q) + times(log_q, log_q - log_p),
    ),
)

DIVERGENCES = {divergence.name: divergence for divergence in TABLE}
"""All but `alpha`, which is a family of its own."""

NAMES = (*DIVERGENCES, "alpha")
