"""Which ways of z change the samples most: the principal directions of G's response."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli import randomness
from gan_cli.fast import LEAST
from gan_cli.prior.layout import Coded
from gan_cli.sampler import BLOCK, Sampler, evaluating

PROBES = 1024
"""Random probes of the response, at most."""

COST = 1 << 38
"""Weights times pixels times probes, at most: about two seconds of a CPU core. Not measured by a
clock, so that the directions are the same whenever they are asked for."""

TINY = 1e-300
"""Instead of a response of zero, where something is divided by it."""


class Directions(NamedTuple):
    """Directions of z, the strongest first."""

    vectors: Tensor
    """`(k, z_dim)`, orthogonal, each as long as one standard deviation of a latent number."""

    shares: tuple[float, ...]
    """Of the whole response, how much each direction makes up; 0 to 1."""


def directions(sampler: Sampler, count: int, c: Tensor | None = None, seed: int = 0) -> Directions:
    """The `count` leading eigenvectors of E[JᵀJ], J = dG/dz, fewer where z is of fewer numbers.

    JᵀJ is the metric that the squared distance of two samples induces on z: a small step v changes
    a sample by vᵀJᵀJv. Wang and Ponce 2021, arXiv 2101.06006, found that it has few large
    eigenvalues, and that its leading eigenvectors are much the same all over z, so that those of
    the mean say something everywhere. (Härkönen et al. 2020, arXiv 2004.02546, find directions by
    a principal component analysis of an early layer, which every family would have to name.)

    With u ~ N(0, I) the rows Jᵀu have the covariance JᵀJ: one backward pass for each of some
    hundred probes, at codes of the prior, is enough. Codes that mean something by themselves, those
    of prior=codes, are left out. c `(1, …)` is the condition of all; without it, of a generator of
    classes, the classes in turn.
    """
    rows = _probes(sampler, c, seed)
    first = sampler.prior.layout.width if isinstance(sampler.prior, Coded) else 0
    noise = sampler.codes(range(PROBES), seed)[:, first:]
    values, vectors = _leading(rows[:, first:])
    count = min(count, noise.shape[1])
    vectors = vectors[:count]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    vectors = vectors * largest.sign() * noise.double().std()
    whole = torch.zeros(count, sampler.generator.z_dim, dtype=torch.float64)
    whole[:, first:] = vectors
    shares = values / values.sum().clamp(min=TINY)
    return Directions(whole.float(), tuple(shares[:count].tolist()))


def _affordable(sampler: Sampler) -> int:
    """How many probes, a multiple of eight: of a large network few."""
    weights = sum(weight.numel() for weight in sampler.generator.parameters())
    cost = weights * math.prod(sampler.space.shape[1:])
    return min(PROBES, max(LEAST, COST // max(cost, 1) // LEAST * LEAST))


def _leading(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues `(k,)` and eigenvectors `(k, d)` of RᵀR, `(n, d)`, the largest first.

    By way of RRᵀ where that is smaller.
    """
    if rows.shape[1] <= len(rows):
        values, vectors = torch.linalg.eigh(rows.T @ rows)
        return values.flip(0).clamp(min=0), vectors.T.flip(0)
    values, left = torch.linalg.eigh(rows @ rows.T)
    values = values.flip(0).clamp(min=0)
    return values, left.T.flip(0) @ rows / values.clamp(min=TINY).sqrt()[:, None]


def _probes(sampler: Sampler, c: Tensor | None, seed: int) -> Tensor:
    """Jᵀu at random codes, `(n, z_dim)`, in float64 on the CPU."""
    found: list[Tensor] = []
    many = _affordable(sampler)
    size = BLOCK if many >= PROBES else LEAST
    noise = randomness.generator("directions", seed)
    for start in range(0, many, size):
        numbers = range(start, start + size)
        asked = sampler.labels(numbers) if c is None else c.expand(size, *c.shape[1:])
        z = sampler.codes(numbers, seed).to(sampler.device).requires_grad_()
        with evaluating(sampler.generator), torch.enable_grad():
            x = sampler.generator(z, None if asked is None else asked.to(sampler.device))
            probe = torch.randn(x.shape, generator=noise).to(x.device, x.dtype)
            # a generator may be deaf to z, and its samples then need no gradient
            told = torch.autograd.grad(x, z, probe, allow_unused=True) if x.requires_grad else ()
            row = next(filter(torch.is_tensor, told), torch.zeros_like(z))
        found.append(row.detach().double().cpu())
    return torch.cat(found)
