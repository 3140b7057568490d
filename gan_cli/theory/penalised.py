"""What the best critic is worth when its slope has a price in place of a bound."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.special import ndtr

from gan_cli.theory.gaussian import Gaussian

PLACES, SHARES = 8001, 800
REACH = 8.0
"""Standard deviations beyond the means that integrals go."""


def penalised_critic(p: Gaussian, q: Gaussian, weight: float) -> tuple[float, float]:
    """E_p D - E_q D of the best D of WGAN-GP on the line, and its mean slope ‖∇D‖ at q.

    Gulrajani et al. 2017, arXiv 1704.00028, equation 3: D minimises E_q D - E_p D + λ E (‖∇D‖ - 1)²
    over places x̂ = x + ε (y - x) of density μ. With distribution functions P and Q, integration by
    parts leaves ∫ (P - Q) D' + λ (|D'| - 1)² μ, which is least place by place: the slope is
    1 + |P - Q|/2λμ (for equal variances: then P - Q has one sign), and the value is more than W1.
    A straight D reaches d (1 + d/2λ) for means at distance d; the best a little more.

    Raises ValueError unless the weight λ is positive and the variances are equal.
    """
    if weight <= 0:
        raise ValueError(f"weight must be positive, not {weight}")
    if p.std != q.std:
        raise ValueError(f"the standard deviations must be equal, not {p.std} and {q.std}")
    low, high = sorted((p.mean, q.mean))
    ends = low - REACH * p.std, high + REACH * p.std
    x = torch.linspace(*ends, PLACES, dtype=torch.float64)
    share = (torch.arange(SHARES, dtype=torch.float64)[:, None] + 0.5) / SHARES
    mean = p.mean + share * (q.mean - p.mean)
    std = p.std * (share.square() + (1 - share).square()).sqrt()
    mu = _density((x - mean) / std).div(std).mean(0)
    gap = (ndtr((x - p.mean) / p.std) - ndtr((x - q.mean) / q.std)).abs()
    slope = 1 + gap / (2 * weight * mu)
    at_q = _density((x - q.mean) / q.std) / q.std
    return float(torch.trapezoid(gap * slope, x)), float(torch.trapezoid(at_q * slope, x))


def _density(z: Tensor) -> Tensor:
    return torch.exp(-z.square() / 2) / (2 * torch.pi) ** 0.5
