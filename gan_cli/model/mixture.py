"""A mixture of Gaussians: a generator with a density, and without a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor, nn

from gan_cli.model import Generator, Shape, check_at_least

TINY = 1e-30
"""A variance that is none, above the floor."""

ROOM = 1 << 24
"""Numbers of matrices that are gathered at a time."""


@dataclass(frozen=True)
class Mixture:
    """Several Gaussians, each with a weight, a mean and a covariance, for samples of any shape.

    `covariance` is full, or diag for numbers that don't depend on each other within a component.
    No variance of a number, given those before it, falls below `floor`: without one the likelihood
    has no bound, for a component can shrink to a point (Day 1969). 1e-5 is about the variance of
    rounding to one of 256 grey levels. Its G is learnt by method=mixture or mixture_gradient, and
    has no D. Samples of images are clipped to [-1, 1].
    """

    components: int = 10
    covariance: str = "full"
    floor: float = 1e-5

    def __post_init__(self) -> None:
        check_at_least(1, components=self.components)
        if self.covariance not in SPREADS:
            raise ValueError(f"covariance is one of {', '.join(SPREADS)}, not {self.covariance}")
        if not 0 < self.floor < math.inf:
            raise ValueError(f"floor is a variance above 0, not {self.floor}")

    def generator(self, shape: Shape) -> MixtureGenerator:
        """G, `(N, d + 1) -> (N, *shape)`, d the numbers in a sample."""
        return SPREADS[self.covariance](self, shape)

    def discriminator(self, shape: Shape) -> NoReturn:
        """None: ValueError."""
        raise ValueError("a mixture of Gaussians has no D: method=mixture, or model=dcgan")


class MixtureGenerator(Generator):
    """G: the first number of z ~ N(0, I) chooses the component, the others are its noise.

    The chooser's normal distribution function is uniform, and falls into the share of one of the
    components. `roots` are the square roots of covariances.
    """

    def __init__(self, size: Mixture, shape: Shape):
        super().__init__()
        self.shape, self.floor = shape, size.floor
        d = math.prod(shape)
        self.z_dim = d + 1
        self.logits = nn.Parameter(torch.zeros(size.components))
        self.means = nn.Parameter(torch.randn(size.components, d) / 2)

    @property
    def covariance(self) -> str:
        """full or diag."""
        return next(name for name, kind in SPREADS.items() if isinstance(self, kind))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Samples, `(N, d + 1) -> (N, *shape)`."""
        shares = self.logits.softmax(0).cumsum(0)[:-1]
        chosen = (torch.special.ndtr(z[:, :1]) > shares).sum(1)
        x = self.means[chosen] + self.noise(z[:, 1:], chosen)
        return (x.clamp(-1, 1) if len(self.shape) == 3 else x).unflatten(1, self.shape)

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density in nats, before any clipping, `(N, *shape) -> (N,)`."""
        apart = x.flatten(1) - self.means[:, None]
        log_scale, white = self.whitened(apart)
        d = apart.shape[2]
        each = -white.square().sum(2).T / 2 - log_scale - d / 2 * math.log(2 * math.pi)
        return (self.logits.log_softmax(0) + each).logsumexp(1)

    @torch.no_grad()
    def fit(self, shares: Tensor, means: Tensor, covariances: Tensor) -> None:
        """Take these weights `(K,)`, means `(K, d)` and covariances `(K, d, d)` or `(K, d)`."""
        self.logits.copy_(shares.clamp(min=TINY).log())
        self.means.copy_(means)
        self.spread(covariances)

    def above_floor(self, log_scales: Tensor) -> Tensor:
        """Standard deviations of the components, from numbers without bounds."""
        return ((2 * log_scales).exp() + self.floor).sqrt()

    def below(self, deviations: Tensor) -> Tensor:
        """The numbers of which `above_floor` makes these deviations, or nearly."""
        return (deviations.square() - self.floor).clamp(min=TINY).log() / 2

    def noise(self, e: Tensor, chosen: Tensor) -> Tensor:
        """Noise of the chosen components, of normal noise, `(N, d), (N,) -> (N, d)`."""
        raise TypeError(f"{type(self).__name__} has no noise")

    def whitened(self, apart: Tensor) -> tuple[Tensor, Tensor]:
        """½ log det of each covariance `(K,)`, and distances in their terms, of `(K, N, d)`."""
        raise TypeError(f"{type(self).__name__} has no density")

    def spread(self, covariances: Tensor) -> None:
        """Take these covariances."""
        raise TypeError(f"{type(self).__name__} has no covariances")


class Diagonal(MixtureGenerator):
    """G of components whose numbers don't depend on each other."""

    def __init__(self, size: Mixture, shape: Shape):
        super().__init__(size, shape)
        self.log_scales = nn.Parameter(torch.zeros_like(self.means))

    def noise(self, e: Tensor, chosen: Tensor) -> Tensor:
        """Each number by its own standard deviation, `(N, d), (N,) -> (N, d)`."""
        return self.above_floor(self.log_scales)[chosen] * e

    def whitened(self, apart: Tensor) -> tuple[Tensor, Tensor]:
        """½ log det of each covariance `(K,)`, and distances in their terms, of `(K, N, d)`."""
        scales = self.above_floor(self.log_scales)
        return scales.log().sum(1), apart / scales[:, None]

    def spread(self, covariances: Tensor) -> None:
        """Take these variances `(K, d)`."""
        self.log_scales.copy_(self.below(covariances.sqrt()))


class Full(MixtureGenerator):
    """G of components with any covariance: L Lᵀ, L lower triangular."""

    def __init__(self, size: Mixture, shape: Shape):
        super().__init__(size, shape)
        self.roots = nn.Parameter(torch.zeros(*self.means.shape, self.means.shape[1]))

    def factors(self) -> Tensor:
        """L of each component, `(K, d, d)`."""
        diagonal = self.above_floor(self.roots.diagonal(dim1=1, dim2=2))
        return self.roots.tril(-1) + diagonal.diag_embed()

    def noise(self, e: Tensor, chosen: Tensor) -> Tensor:
        """L e, `(N, d), (N,) -> (N, d)`, a few samples at a time: each needs a matrix."""
        L = self.factors()
        if torch.compiler.is_exporting():  # for whom batches have no size
            return (L[chosen] @ e[:, :, None]).squeeze(2)
        some = max(1, ROOM // L[0].numel())
        parts = zip(e.split(some), chosen.split(some), strict=True)
        return torch.cat([(L[which] @ part[:, :, None]).squeeze(2) for part, which in parts])

    def whitened(self, apart: Tensor) -> tuple[Tensor, Tensor]:
        """½ log det of each covariance `(K,)`, and distances in their terms, of `(K, N, d)`."""
        L = self.factors()
        white = torch.linalg.solve_triangular(L, apart.mT, upper=False).mT
        return L.diagonal(dim1=1, dim2=2).log().sum(1), white

    def spread(self, covariances: Tensor) -> None:
        """Take these covariances `(K, d, d)`."""
        L = torch.linalg.cholesky(covariances)
        diagonal = self.below(L.diagonal(dim1=1, dim2=2))
        self.roots.copy_(L.tril(-1) + diagonal.diag_embed())


SPREADS: dict[str, type[MixtureGenerator]] = {"full": Full, "diag": Diagonal}
"""What covariances can be, by name."""
