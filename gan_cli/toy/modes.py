"""Modes found, and the quality of samples, of a mixture of Gaussians."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

RADIUS = 3.0
"""Standard deviations from the nearest mean within which a sample is of high quality."""

ENOUGH = 20
"""Samples of high quality that a mode needs to count as found, of 10,000."""


@dataclass(frozen=True)
class Modes:
    """How samples fall on the modes of a mixture.

    found: modes with at least 20 samples of high quality, of `count`. share: of samples that are of
    high quality; `perfect` is what the mixture's own samples come to (98.889 % in the plane), and
    more than that is no better: it means modes that have shrunk. kl: KL of the histogram of high
    quality samples over modes, from the weights. spread: standard deviation of each found mode
    over the true one, the mean, the least and the greatest (1 for a perfect sampler).

    The rule of 3 standard deviations is that of Srivastava et al. 2017, arXiv 1705.07761, where one
    sample was enough for a mode.
    """

    found: int
    count: int
    share: float
    perfect: float
    kl: float
    spread: tuple[float, float, float]


def modes(x: Tensor, means: Tensor, std: Tensor | float, weights: Tensor | None = None) -> Modes:
    """Samples `(N, d)` on modes with these means `(K, d)`, standard deviations and weights."""
    x, means = x.double(), means.double()
    count, axes = means.shape
    scale = _scales(std, count)
    distance = torch.cdist(x, means) / scale
    nearest, mode = distance.min(1)
    good = nearest < RADIUS
    held = torch.bincount(mode[good], minlength=count).double()
    found = held >= ENOUGH * len(x) / 10_000
    shares = torch.full_like(held, 1 / count) if weights is None else weights.double()
    histogram = held / held.sum() if good.any() else torch.eye(count).double()[shares.argmin()]
    kl = torch.special.xlogy(histogram, histogram / (shares / shares.sum())).sum()
    ratios = _spread(x[good], mode[good], held, scale)[found]
    return Modes(
        found=int(found.sum()),
        count=count,
        share=float(good.double().mean()),
        perfect=perfect(axes),
        kl=max(0.0, float(kl)),
        spread=(
            (float(ratios.mean()), float(ratios.min()), float(ratios.max()))
            if len(ratios)
            else (0.0, 0.0, 0.0)
        ),
    )


def from_nearest(x: Tensor, means: Tensor, std: Tensor | float) -> Tensor:
    """Samples as seen from the nearest mean, in its standard deviations, `(N, d) -> (N, d)`."""
    means, scale = means.double(), _scales(std, len(means))
    mode = (torch.cdist(x.double(), means) / scale).argmin(1)
    return (x.double() - means[mode]) / scale[mode, None]


def perfect(axes: int) -> float:
    """The share of a Gaussian in d dimensions within 3 standard deviations of its mean."""
    return float(_inside(axes / 2))


def _scales(std: Tensor | float, count: int) -> Tensor:
    return torch.as_tensor(std, dtype=torch.float64).reshape(-1).expand(count)


def _inside(shape: float) -> Tensor:
    half = torch.tensor(RADIUS**2 / 2, dtype=torch.float64)
    return torch.special.gammainc(torch.tensor(shape, dtype=torch.float64), half)


def _spread(x: Tensor, mode: Tensor, held: Tensor, scale: Tensor) -> Tensor:
    """Each mode's standard deviation over the true one, `(K,)`.

    Samples beyond 3 standard deviations aren't counted; a Gaussian without them is narrower by a
    known factor, which is taken out.
    """
    axes = x.shape[1]
    safe = held.clamp(min=1)
    centre = x.new_zeros(len(held), axes).index_add(0, mode, x) / safe[:, None]
    square = (x - centre[mode]).square().sum(1)
    variance = x.new_zeros(len(held)).index_add(0, mode, square) / (axes * safe)
    cut = _inside(axes / 2 + 1) / _inside(axes / 2)
    return (variance / cut).sqrt() / scale
