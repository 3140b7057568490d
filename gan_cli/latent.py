"""The other way round: the latent codes that best give an image, by descent on z."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli import randomness
from gan_cli.errors import NumericalFailure, UserMistake
from gan_cli.prior import Dense
from gan_cli.prior.layout import Coded
from gan_cli.sampler import BLOCK, Sampler, evaluating

MANY = 2048
"""Codes of the prior that a code is compared with."""

Tell = Callable[[int, int], None]
"""What is called with the steps done, and those that there are."""


@dataclass(frozen=True)
class Inversion:
    """How codes are looked for: argmin over z (and the class) of ‖x - G(z)‖² / 2 noise² - log p(z).

    The projection of an image onto what G can make (Zhu et al. 2016, arXiv 1609.03552, section
    3.1; Lipton and Tripathi 2017, arXiv 1702.04782), with `noise` the deviation of a pixel, of
    values in [-1, 1], that G is not expected to explain. The best of `drawn` codes of the prior
    are where `restarts` descents by Adam begin, for every class; after a fifth of the steps the
    best of them go on, as many as the restarts. The rate falls to 0 along half a cosine.
    """

    steps: int = 400
    restarts: int = 8
    drawn: int = 512
    lr: float = 0.1
    noise: float = 0.1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.restarts < 1 or self.drawn < self.restarts:
            raise ValueError(
                f"steps={self.steps} and restarts={self.restarts} are 1 or more, and "
                f"drawn={self.drawn} no fewer than restarts"
            )
        if not 0 < self.lr < math.inf or not 0 < self.noise < math.inf:
            raise ValueError(f"lr={self.lr} and noise={self.noise} are above 0")


class Found(NamedTuple):
    """Codes that give images `(N, z_dim)`, their classes `(N,)`, and what they give `(N, …)`.

    `surprise` is the energy of each code under the prior, and `likelier` the share of the prior's
    own codes that are less likely than it; both `(N,)`.
    """

    z: Tensor
    c: Tensor | None
    x: Tensor
    surprise: Tensor
    likelier: Tensor


class Chains(NamedTuple):
    """Descents, all at once: codes `(M, z_dim)` and classes `(M,)`."""

    z: Tensor
    c: Tensor | None

    def only(self, index: Tensor) -> Chains:
        """Some of them."""
        return Chains(self.z[index], None if self.c is None else self.c[index])


def invert(
    sampler: Sampler,
    x: Tensor,
    labels: list[int],
    seed: int = 0,
    how: Inversion | None = None,
    tell: Tell = lambda done, of: None,
) -> Found:
    """The codes that best give images `(N, …)` in [-1, 1], one image after the other.

    `labels` are the classes that are tried; none of a generator that knows none. A function of the
    image and the seed, whatever other images are asked with it. Raises UserMistake for a generator
    that is given images, or whose codes have no density, NumericalFailure on NaN or infinity.
    """
    if sampler.space.given is not None:
        raise UserMistake(
            "this generator answers images, so there is nothing to invert: gan sample --input"
        )
    if not isinstance(sampler.prior, Dense):
        raise UserMistake("the prior of this generator tells no density: energy(z) and fold(z)")
    how = how or Inversion()
    starts = _starts(sampler, labels, seed, how)
    total = len(x) * how.steps
    parts = []
    for number, image in enumerate(x.split(1)):

        def told(done: int, before: int = number * how.steps) -> None:
            tell(before + done, total)

        parts.append(_best(sampler, image, starts, how, told))
    z = torch.cat([chain.z for chain in parts])
    c = torch.cat([chain.c for chain in parts if chain.c is not None]) if labels else None
    own = sampler.prior.energy(sampler.codes(range(MANY), randomness.mix("likely"))).sort().values
    surprise = sampler.prior.energy(z)
    low, high = torch.searchsorted(own, surprise), torch.searchsorted(own, surprise, right=True)
    likelier = 1 - (low + high) / (2 * MANY)  # those that are alike count half
    return Found(z, c, sampler.generate(z, c), surprise, likelier)


def _starts(sampler: Sampler, labels: list[int], seed: int, how: Inversion) -> Found:
    """Codes of the prior for each class, and what they give."""
    z = sampler.codes(range(how.drawn), randomness.mix("invert", seed))
    if not labels:
        return Found(z, None, _made(sampler, z, None), z, z)
    c = torch.tensor(labels).repeat_interleave(how.drawn)
    z = z.repeat(len(labels), 1)
    return Found(z, c, _made(sampler, z, c), z, z)


def _made(sampler: Sampler, z: Tensor, c: Tensor | None) -> Tensor:
    asked = [None] * -(-len(z) // BLOCK) if c is None else list(c.split(BLOCK))
    pairs = zip(z.split(BLOCK), asked, strict=True)
    return torch.cat([sampler.generate(*pair) for pair in pairs])


def _best(
    sampler: Sampler, image: Tensor, starts: Found, how: Inversion, tell: Callable[[int], None]
) -> Chains:
    """The best code of one image, `(1, …)`."""
    far = (starts.x - image).flatten(1).square().sum(1)
    groups = far.view(-1, how.drawn)
    nearest = groups.topk(how.restarts, largest=False).indices
    first = torch.arange(len(groups))[:, None] * how.drawn
    index = (nearest + first).flatten()
    descent = Descent(sampler, image, Chains(starts.z, starts.c).only(index), how)
    trial = max(1, how.steps // 5)
    for step in range(how.steps):
        if step == trial and len(descent.chains.z) > how.restarts:
            descent.thin(how.restarts)
        descent.step(step)
        tell(step + 1)
    return descent.best()


class Descent:
    """Adam on codes, each by itself, with the best place that each has been at."""

    def __init__(self, sampler: Sampler, image: Tensor, chains: Chains, how: Inversion):
        device = sampler.device
        self.sampler, self.how, self.image = sampler, how, image.to(device)
        c = None if chains.c is None else chains.c.to(device)
        self.chains = Chains(chains.z.to(device), c)
        layout = sampler.prior.layout if isinstance(sampler.prior, Coded) else None
        self.still = sum(layout.categories) if layout else 0
        self.mean = torch.zeros_like(self.chains.z)
        self.square = torch.zeros_like(self.chains.z)
        self.least = self.chains.z.new_full((len(chains.z),), math.inf)
        self.where = self.chains.z.clone()

    def step(self, step: int) -> None:
        """One step of every descent."""
        cost, slope = self._cost(self.chains.z)
        self._remember(cost)
        slope[:, : self.still] = 0  # one-hot parts stay as they are
        self.mean.lerp_(slope, 0.1)
        self.square.lerp_(slope.square(), 0.01)
        rate = self.how.lr * (1 + math.cos(math.pi * step / self.how.steps)) / 2
        mean, square = self.mean / (1 - 0.9 ** (step + 1)), self.square / (1 - 0.99 ** (step + 1))
        z = self.chains.z - rate * mean / (square.sqrt() + 1e-8)
        self.chains = self.chains._replace(z=self.sampler.prior.fold(z))  # type: ignore[attr-defined]

    def thin(self, count: int) -> None:
        """Go on with so many of the best."""
        index = self.least.topk(count, largest=False).indices
        self.chains = self.chains.only(index)
        self.mean, self.square = self.mean[index], self.square[index]
        self.least, self.where = self.least[index], self.where[index]

    def best(self) -> Chains:
        """The best of all places, on the CPU."""
        self._remember(self._cost(self.chains.z)[0])
        index = self.least.argmin().view(1)
        if not self.least[index].isfinite().all():
            raise NumericalFailure("the search for a code came upon NaN or infinity")
        c = None if self.chains.c is None else self.chains.c[index].cpu()
        return Chains(self.where[index].cpu(), c)

    def _remember(self, cost: Tensor) -> None:
        better = cost < self.least
        self.least = torch.where(better, cost, self.least)
        self.where = torch.where(better[:, None], self.chains.z, self.where)

    def _cost(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """What is minimised, and its gradient, `(M, z_dim) -> (M,), (M, z_dim)`."""
        prior, G = self.sampler.prior, self.sampler.generator
        assert isinstance(prior, Dense)
        costs, slopes = [], []
        asked = [None] * -(-len(z) // BLOCK)
        labels = asked if self.chains.c is None else list(self.chains.c.split(BLOCK))
        for codes, c in zip(z.split(BLOCK), labels, strict=True):
            with torch.enable_grad(), evaluating(G):
                at = codes.detach().requires_grad_()
                far = (G(at, c).float() - self.image).flatten(1).square().sum(1)
                cost = far / (2 * self.how.noise**2) + prior.energy(at)
                (slope,) = torch.autograd.grad(cost.sum(), at)
            costs.append(cost.detach())
            slopes.append(slope)
        return torch.cat(costs), torch.cat(slopes)
