"""The variational autoencoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from gan_cli import dist
from gan_cli.batch import Batch
from gan_cli.errors import UserMistake
from gan_cli.facts import Facts
from gan_cli.method.coder import USES, Coder
from gan_cli.method.kit import Kit
from gan_cli.prior.normal import Normal

LEAST = 1 / 255
"""The least standard deviation that is learnt: half of the step between two grey levels."""


@dataclass(frozen=True)
class VAE:
    """An encoder gives a Gaussian of codes for each sample, held near the prior N(0, I).

    Kingma and Welling 2013, arXiv 1312.6114, equation 10: both players minimise, in nats,
    -log p(x|z) + beta KL(q(z|x) ‖ N(0, I)) with z = mu + sigma eps. `beta` 1 is minus their bound
    of the log-likelihood, more is the beta-VAE (Higgins et al. 2017, "beta-VAE: Learning basic
    visual concepts with a constrained variational framework"). `likelihood` bernoulli takes grey
    for a probability of white, gaussian has one `sigma` for all numbers; null: the best one there
    is for each batch (Rybkin et al. 2020, arXiv 2006.13202). Samples are the decoder's means.

    Needs: prior=normal, and a D with features, whose body is the encoder (not model=autoencoder).
    Trouble: kl near 0, and samples all alike: beta from below, method.beta=0.1
    +anneal.to.method.beta=1.0. Blurred samples: they are means; smaller beta, or method=gan.
    """

    uses: ClassVar[frozenset[str]] = USES

    likelihood: str = "bernoulli"
    sigma: float | None = None
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.likelihood not in LIKELIHOODS:
            raise ValueError(
                f"likelihood is one of {', '.join(LIKELIHOODS)}, not {self.likelihood}"
            )
        if self.sigma is not None and not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma must be a positive number, or null: {self.sigma}")
        if not 0 <= self.beta < math.inf:
            raise ValueError(f"beta can't be negative: {self.beta}")

    def make(self, kit: Kit) -> Bound:
        """Encoder and decoder. UserMistake when parts don't go together."""
        if not isinstance(kit.prior, Normal) or kit.prior.std != 1:
            raise UserMistake("prior: the codes of a VAE are held near N(0, I): prior=normal")
        if len(kit.space.shape) != 3 and LIKELIHOODS[self.likelihood] is bernoulli:
            raise UserMistake(
                "method: likelihood=bernoulli is for pixels, and these are points: "
                "method=vae_gaussian"
            )
        return Bound(self, kit, numbers=2)

    def reconstruction(self, x: Tensor, mean: Tensor) -> Tensor:
        """-log p(x|z) of samples in nats, given the decoder's means, `(N, …), (N, …) -> (N,)`."""
        return LIKELIHOODS[self.likelihood](x, mean, self.sigma)


class Bound(Coder):
    """Encoder and decoder, both raising a lower bound of the likelihood of the data.

    Kingma and Welling 2013, Algorithm 1, with one draw a sample (L = 1).
    """

    recipe: VAE

    def loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """Minus the bound of each sample in nats, `(N,)`, with one code drawn for each."""
        mu, log_variance = self.E(real.x, real.c).chunk(2, 1)
        z = mu + (log_variance / 2).exp() * dist.own_like(torch.randn_like, mu)
        kl = divergence(mu, log_variance)
        reconstruction = self.recipe.reconstruction(real.x, self.G(z, real.c))
        total = reconstruction + self.recipe.beta * kl
        told = {"loss": total, "kl": kl, "reconstruction": reconstruction}
        return total, {name: value.detach().mean() for name, value in told.items()}


def divergence(mu: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mu, σ²) ‖ N(0, I)), `(N, d), (N, d) -> (N,)`: Kingma and Welling 2013, appendix B."""
    return (mu.square() + log_variance.expm1() - log_variance).sum(1) / 2


def bernoulli(x: Tensor, mean: Tensor, sigma: float | None = None) -> Tensor:
    """The cross-entropy of pixels in [-1, 1], as probabilities of 1, `(N, …), (N, …) -> (N,)`.

    Of grey pixels it is no likelihood (Loaiza-Ganem and Cunningham 2019, arXiv 1907.06845), but
    least where mean and pixel agree.
    """
    p, t = ((v.flatten(1) + 1) / 2 for v in (mean, x))
    lost = (p.detach() + t) * 0  # NaN, for which PyTorch raises an error, or on CUDA worse; else 0
    bad = lost != 0
    paid = binary_cross_entropy(
        p.masked_fill(bad, 0).clamp(0, 1), t.masked_fill(bad, 0), reduction="none"
    )
    return (paid + lost).sum(1)


def gaussian(x: Tensor, mean: Tensor, sigma: float | None = None) -> Tensor:
    """-log N(x; mean, σ²) of all numbers of a sample, `(N, …), (N, …) -> (N,)`.

    Without a `sigma`, σ² is the mean squared error of the batch, which is its best value.
    """
    error = (x - mean).square().flatten(1)
    best = error.detach().mean().clamp(min=LEAST**2)
    variance = best if sigma is None else best.new_tensor(sigma**2)
    return (error / variance + (2 * math.pi * variance).log()).sum(1) / 2


LIKELIHOODS: dict[str, Callable[[Tensor, Tensor, float | None], Tensor]] = {
    "bernoulli": bernoulli,
    "gaussian": gaussian,
}
"""-log p(x|z) of samples, given the decoder's means, by name."""
