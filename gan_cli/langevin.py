"""A walk of codes to where D likes their samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_cli import randomness
from gan_cli.critics import BY_RATIO, ask, finite, tells_ratio
from gan_cli.fast import LEAST
from gan_cli.loss import Loss, Unbounded
from gan_cli.prior import Dense, Prior
from gan_cli.prior.layout import Coded
from gan_cli.sampler import BLOCK, Sampler, evaluating

SMALL = 4096
"""Numbers in a sample up to which a whole block of them is walked at once."""


@dataclass(frozen=True)
class Langevin:
    """Codes walk towards what D likes, and stay likely under the prior.

    Che et al. 2020, arXiv 2003.06060, Algorithm 1: `steps` of Langevin's dynamics on the energy
    E(z) = -log p(z) - D(G(z)), z ← z - step_size/2 ∇E + noise √step_size n with n ~ N(0, I). With
    noise=1 and many steps the samples follow p where D is log p/q; a smaller noise trades variety
    for what D likes most, the law exp(-E/noise²). With `adjusted`, steps are taken as Metropolis
    and Hastings would, so that none is too long; without, as the paper's Algorithm 1 has it,
    steps that are long for a steep G lose modes. One-hot parts of a code stay as they are, and
    bounded ones are reflected. The critic of a Wasserstein GAN serves as an energy too, whose
    scale is its own.
    """

    steps: int = 100
    step_size: float = 0.01
    noise: float = 1.0
    adjusted: bool = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, not {self.steps}")
        if not 0 < self.step_size < math.inf or not 0 <= self.noise < math.inf:
            raise ValueError(f"step_size={self.step_size}, noise={self.noise}: none is negative")

    def refuses(self, loss: Loss, name: str, prior: Prior) -> str | None:
        """A D that is no energy, and codes of an unknown density."""
        if not isinstance(prior, Dense):
            return f"{type(prior).__name__} tells no density of its codes: energy(z) and fold(z)"
        if tells_ratio(loss) or isinstance(loss, Unbounded):
            return None
        return (
            f"the D of loss={name} is neither log p/q nor a critic, so its slope leads to no known "
            f"law: train with {BY_RATIO}, or loss=wgan_gp"
        )

    def over(self, sampler: Sampler, D: nn.Module) -> Walking:
        """Where the walks from a sampler's codes end."""
        return Walking(self, sampler, D)


class Place(NamedTuple):
    """Codes on their walk `(N, z_dim)`, their conditions, energy `(N,)` and its gradient."""

    z: Tensor
    c: Tensor | None
    energy: Tensor
    slope: Tensor


class Walking:
    """Codes that have walked, block by block: each is the same whatever is asked with it."""

    def __init__(self, way: Langevin, sampler: Sampler, D: nn.Module):
        self.way, self.sampler, self.D = way, sampler, D
        self.size = BLOCK if math.prod(sampler.space.shape) <= SMALL else LEAST
        layout = sampler.prior.layout if isinstance(sampler.prior, Coded) else None
        self.still = sum(layout.categories) if layout else 0

    def __call__(self, numbers: range, seed: int, c: Tensor | None) -> Tensor:
        """Where the walks of these samples' codes end, `(len(numbers), z_dim)`, on the CPU."""
        parts = []
        for first in range(numbers.start // BLOCK * BLOCK, numbers.stop, BLOCK):
            block = range(first, first + BLOCK)
            inside = range(max(first, numbers.start), min(first + BLOCK, numbers.stop))
            asked = None
            if c is not None:
                mine = c[inside.start - numbers.start : inside.stop - numbers.start]
                lead, more = inside.start - first, block.stop - inside.stop
                asked = torch.cat([mine[:1].expand(lead), mine, mine[-1:].expand(more)])
            z = self._walk(self.sampler.codes(block, seed), asked, seed, first // BLOCK)
            parts.append(z[inside.start - first : inside.stop - first])
        return torch.cat(parts)

    def _walk(self, z: Tensor, c: Tensor | None, seed: int, block: int) -> Tensor:
        """A block of codes after all steps, `(64, z_dim) -> (64, z_dim)`, on the CPU."""
        device, size = self.sampler.device, self.size
        chance = randomness.generator("langevin", seed, block)
        kicks = torch.randn(self.way.steps, *z.shape, generator=chance)
        luck = torch.rand(self.way.steps, len(z), generator=chance).log()
        ends = []
        for i in range(0, len(z), size):
            here = slice(i, i + size)
            place = self._place(z[here].to(device), None if c is None else c[here].to(device))
            for kick, least in zip(
                kicks[:, here].to(device), luck[:, here].to(device), strict=True
            ):
                place = self._step(place, kick, least)
            ends.append(finite(place.z).cpu())
        return torch.cat(ends)

    def _step(self, at: Place, kick: Tensor, least: Tensor) -> Place:
        """Where codes are after a step, which those that it would lead astray don't take."""
        step, heat = self.way.step_size, self.way.noise**2
        moved = at.z - step / 2 * at.slope + self.way.noise * math.sqrt(step) * kick
        moved = torch.cat([at.z[:, : self.still], moved[:, self.still :]], 1)
        inside = self.sampler.prior.fold(moved)  # type: ignore[attr-defined]  # it is Dense
        new = self._place(inside, at.c)
        if not (self.way.adjusted and heat):
            return new
        there = (moved - at.z + step / 2 * at.slope)[:, self.still :].square().sum(1)
        back = (at.z - moved + step / 2 * new.slope)[:, self.still :].square().sum(1)
        odds = (at.energy - new.energy - (back - there) / (2 * step)) / heat
        take = (odds > least) & (inside == moved).all(1)  # p is 0 beyond the border
        return Place(
            torch.where(take[:, None], new.z, at.z),
            at.c,
            torch.where(take, new.energy, at.energy),
            torch.where(take[:, None], new.slope, at.slope),
        )

    def _place(self, z: Tensor, c: Tensor | None) -> Place:
        """Codes, their energy and its gradient."""
        prior, G = self.sampler.prior, self.sampler.generator
        assert isinstance(prior, Dense)
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            with evaluating(G):
                x = G(z, c)
            energy = prior.energy(z) - ask(self.D, x, c)
            (slope,) = torch.autograd.grad(energy.sum(), z)
        return Place(z.detach(), c, energy.detach(), slope)
