"""Modes found, and the quality of samples, of a mixture of Gaussians."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.dataset.density import Modal
from gan_cli.metric import Estimate, Exam, Figure, Untrue
from gan_cli.metric.cells import least
from gan_cli.randomness import generator

RADIUS = 3.0
"""Standard deviations from the nearest mean within which a sample is of high quality."""

SURE = 3.0
"""Standard errors above a perfect sampler's share that are put down to chance."""

MANY = 1_000_000
"""Samples from which the share of modes that overlap is known."""

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


@dataclass(frozen=True)
class CapturedModes:
    """Modes that samples of a mixture of Gaussians reach, and the share that is of high quality.

    Srivastava et al. 2017, arXiv 1705.07761: within 3 standard deviations of the nearest mode; here
    a mode takes 20 such samples of 10,000, where one was enough. What a perfect sampler comes to is
    known, 98.889 % in the plane: `quality_gap` is the distance to it, for more is no better. More
    than chance allows means modes that have shrunk, and is refused; so are shares of the modes
    nearer to the true ones than those of independent samples are.

    Needs: data whose law is a mixture of Gaussians: dataset=ring, grid25, gaussian, mixture.
    Trouble: many modes and a low quality are bridges between them: read both together.
    """

    figures: ClassVar[dict[str, Figure]] = {
        "modes": Figure("modes found", 1, 0.0),
        "quality": Figure("share within 3 std", 0, 0.0, 1.0),
        "quality_gap": Figure("  off a perfect sampler's", -1, 0.0, 1.0),
        "modes_kl": Figure("KL of the modes' shares", -1, 0.0),
        "spread": Figure("std of a mode / the true one", 0, 0.0),
        "spread_least": Figure("  of the narrowest", 0, 0.0),
        "spread_most": Figure("  of the widest", 0, 0.0),
    }

    def refuses(self, exam: Exam) -> str | None:
        """Where the law is not that of a mixture of Gaussians."""
        if isinstance(exam.law, Modal):
            return None
        return "these data are not known to be a mixture of Gaussians: dataset=ring, or grid25"

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """Its figures; no width, and no shares, of modes that are not there. Raises Untrue."""
        assert isinstance(exam.law, Modal)
        found = of_law(exam.law, exam.fake.x.double())
        assert found is not None
        check(found, exam.law, len(exam.fake))
        error = _error(found.share, len(exam.fake))
        errors = {"quality": error, "quality_gap": error}
        return {name: Estimate(value, errors.get(name)) for name, value in told(found).items()}


def told(found: Modes) -> dict[str, float]:
    """The modes as numbers by name; quality as a distance from a perfect sampler's."""
    told = {
        "modes": float(found.found),
        "quality": found.share,
        "quality_gap": abs(found.share - found.perfect),
    }
    if not found.found:
        return told  # no width, and no shares, of what is not there
    mean, least, most = found.spread
    widths = {"spread": mean, "spread_least": least, "spread_most": most}
    return told | {"modes_kl": found.kl} | widths


def of_law(data: object, x: Tensor) -> Modes | None:
    """Samples `(N, d)` on the modes of the data, where it is known to have them."""
    return modes(x, data.means, data.std, data.shares) if isinstance(data, Modal) else None


def check(found: Modes, data: Modal, n: int) -> None:
    """Raise Untrue where `n` independent samples of the data would not come to such numbers.

    Three standard errors above a perfect sampler's share are allowed; where modes overlap, that is
    known from very many samples. The shares of the modes are held against `least`.
    """
    most = found.perfect
    if found.share > most + SURE * math.sqrt(most * (1 - most) / n):
        fresh = data.sample(MANY, generator("quality", 0)).double()
        most = max(most, modes(fresh, data.means, data.std, data.shares).share)
    error = math.sqrt(most * (1 - most) / n)
    if found.share > most + SURE * error:
        raise Untrue(
            f"{found.share:.2%} of the samples within 3 standard deviations is more than a perfect "
            f"sampler's {most:.2%} ± {error:.2%}: the modes have shrunk, to {found.spread[0]:.2f} "
            f"times their width ({found.spread[1]:.2f} the narrowest); {found.found} of "
            f"{found.count} are found"
        )
    limit = least(data.shares.double().numpy(), round(found.share * n))
    if found.found and found.kl < limit:
        raise Untrue(
            f"KL of the modes' shares, {found.kl:.2g}, is less than that of {n:,} independent "
            f"samples, at least {limit:.2g}: they are not drawn independently"
        )


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


def _error(share: float, n: int) -> float:
    """The standard error of a share of n samples, not 0 for a share of 0 or 1 (Agresti, Coull)."""
    centred = (share * n + 2) / (n + 4)
    return math.sqrt(centred * (1 - centred) / (n + 4))


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
