"""The laws of data sets whose density is known."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from gan_cli.laws import Law, Verdict, law, nothing_asked, number

Density = Any
"""A data set with `shape` and `sample(n, generator)`, and `log_prob(x)` where it is known."""

BUDGET = 40_000
"""Cells where samples are, about."""

UNKNOWN = nothing_asked("its density is not known: it has no log_prob")
HIGH = nothing_asked("it has more than two dimensions")


def draw(density: Density, n: int, seed: int = 0) -> Tensor:
    """n samples."""
    x: Tensor = density.sample(n, torch.Generator().manual_seed(seed))
    return x


@law("samples have the shape it says")
def shape(density: Density) -> Verdict:
    """`sample(n, generator)` gives n finite points of its shape."""
    for n in (1, 7):
        x = draw(density, n)
        if x.shape != (n, *density.shape) or not x.isfinite().all():
            return Verdict(
                False,
                expected=f"{(n, *density.shape)} finite numbers",
                seen=str(tuple(x.shape)),
                fix="sample(n, generator) gives `(n, *shape)`",
            )
    return Verdict(True, seen=f"(n, {', '.join(map(str, density.shape))})")


@law("its generator decides")
def deterministic(density: Density) -> Verdict:
    """Samples are a function of the generator alone, and another seed gives others."""
    torch.manual_seed(1)
    first, other = draw(density, 64), draw(density, 64, seed=5)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again = draw(density, 64)
    if not torch.equal(first, again) or not torch.equal(before, torch.get_rng_state()):
        return Verdict(
            False,
            expected="the same samples of a generator with the same seed, whatever torch's own",
            seen="others" if not torch.equal(first, again) else "torch's own has moved",
            fix="every draw takes `generator=generator`; torch.distributions can't",
        )
    if torch.equal(first, other) and not torch.equal(first, first[:1].expand_as(first)):
        return Verdict(
            False,
            expected="other samples of another seed",
            seen="the same 64",
            fix="every draw takes `generator=generator`",
        )
    return Verdict(True, seen="64 samples twice")


@law("its density integrates to 1")
def integrates(density: Density) -> Verdict:
    """The integral of exp(log_prob) over the line or the plane is 1, to 1 %."""
    if not hasattr(density, "log_prob"):
        return UNKNOWN
    if len(density.shape) > 1 or density.shape[0] > 2:
        return HIGH
    x, volume = cells(density)
    total = float((_density(density, x) * volume).sum())
    if not abs(total - 1) < 0.01:
        return Verdict(
            False,
            expected="1, to 1 %",
            seen=number(total),
            fix="log_prob is the log of a normalised density, of all of it",
        )
    return Verdict(True, seen=f"{total:.4f}, over {len(x)} cells")


@law("samples come from its density")
def agrees(density: Density) -> Verdict:
    """The mean of log_prob over samples is ∫ p log p, to five standard errors."""
    if not hasattr(density, "log_prob"):
        return UNKNOWN
    if len(density.shape) > 1 or density.shape[0] > 2:
        return HIGH
    x, volume = cells(density)
    p = _density(density, x)
    expected = float((torch.special.xlogy(p, p) * volume).sum())
    told = density.log_prob(draw(density, 20_000, seed=1).double())
    error = float(told.std()) / len(told) ** 0.5
    gap = abs(float(told.mean()) - expected)
    if not gap < 5 * error + 0.01:
        return Verdict(
            False,
            expected=f"a mean log density of {number(expected)} at its samples, ∫ p log p",
            seen=f"{number(told.mean())} at 20000 of them",
            fix="sample and log_prob are of one and the same distribution",
        )
    return Verdict(True, seen=f"{number(told.mean())}, and ∫ p log p is {number(expected)}")


def _density(density: Density, x: Tensor) -> Tensor:
    return torch.cat([density.log_prob(part).exp().reshape(-1) for part in x.split(50_000)])


def cells(density: Density) -> tuple[Tensor, Tensor]:
    """A place in each of the cells that cover the line or plane, and their volumes.

    They are small where samples are: `(M, d), (M,)`.
    """
    d = density.shape[0]
    x = draw(density, 20_000).double().reshape(-1, d)
    low, high = x.min(0).values, x.max(0).values
    margin = 0.25 * (high - low) + 1e-3 * (1 + x.abs().max())
    low, size = low - margin, high - low + 2 * margin
    coarse, fine = (2000, 50) if d == 1 else (160, 16)
    index = ((x - low) / size * coarse).long().clamp(0, coarse - 1)
    full = torch.zeros([coarse] * d, dtype=torch.bool)
    full[tuple(index.T)] = True
    for axis in range(d):  # and their neighbours, where the density may end
        full = full | full.roll(1, axis) | full.roll(-1, axis)
    fine = min(fine, math.ceil((BUDGET / int(full.sum())) ** (1 / d)))
    rough, dense = (~full).nonzero(), full.nonzero()
    steps = torch.cartesian_prod(*[torch.arange(fine)] * d).reshape(-1, d)
    inner = (dense[:, None, :] * fine + steps).reshape(-1, d)
    places = torch.cat([_within(rough) / coarse, _within(inner) / (coarse * fine)])
    cell = (size / coarse).prod()
    volume = torch.cat([cell.expand(len(rough)), (cell / fine**d).expand(len(inner))])
    return places * size + low, volume


def _within(index: Tensor) -> Tensor:
    """A place in each cell, drawn: so edges of a density are met as often as they should be."""
    return index + torch.rand(index.shape, dtype=torch.float64)


LAWS: tuple[Law, ...] = (shape, deterministic, integrates, agrees)
