"""G and D measured against a law that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli.loss import Loss, Measures, Solved
from gan_cli.metric.cells import Array, Cells, mixed, ones, table
from gan_cli.metric.divergence import divergences
from gan_cli.metric.law import Law
from gan_cli.metric.modes import Modes, of_law, told
from gan_cli.model.packed import Packed
from gan_cli.model.stddev import MinibatchStd
from gan_cli.sampler import Sampler, evaluating
from gan_cli.theory.optimum import value

FIELD = {1: 512, 2: 144}
"""Places along each axis where D is asked, by the number of axes."""

BATCH = 2048
"""Samples that G makes at a time."""

PART = 500
"""Samples of each kind that D judges at a time: some losses look across their batch."""


@dataclass(frozen=True)
class Field:
    """What D says over the frame, and where it pushes the samples.

    places `(M, d)`, x fastest; outputs `(M,)`; slope: the greatest norm of D's gradient there;
    pushed and push: samples of G and D's gradient at them, `(K, d)`.
    """

    cells: Cells
    outputs: Array
    slope: float
    pushed: Array
    push: Array


@dataclass(frozen=True)
class Look:
    """One look at a game: numbers by name, and what is needed to draw them.

    x: samples of G `(N, d)`; z: their codes `(N, z_dim)`. p, q: blurred masses of the law's cells.
    alone: whether D judges each sample by itself, so that what it finds is a matter of p and q.
    """

    numbers: dict[str, float]
    modes: Modes | None
    x: Array
    z: Array
    p: Array
    q: Array
    field: Field
    alone: bool


def look(sampler: Sampler, D: nn.Module, loss: Loss, law: Law) -> Look:
    """Measure G's samples, and D's value on them and on as many fresh samples of the data."""
    x = sampler.sample(law.n, law.seed, BATCH).double()
    real = law.draw("value")
    q = law.count(x)
    numbers = divergences(x, q, law)
    with evaluating(D):
        numbers["game"] = _value(D, loss, real, x)
        field = _field(D, law, x)
    alone = _pack(D) == 1 and _group(D) == 1
    if alone and isinstance(loss, Solved) and (law.cells.axes == 1 or not loss.relative):
        at_best = float(value(loss, table(law.masses), table(q), ones(q)))
        if not math.isfinite(at_best):  # a divergence that empty cells make infinite
            at_best = float(value(loss, mixed(law.masses, len(x)), mixed(q, len(x)), ones(q)))
        numbers["game_at_best"] = at_best
    if alone and isinstance(loss, Measures):
        numbers[f"{loss.measures}_by_d"] = loss.distance(numbers["game"])
        if "game_at_best" in numbers:
            numbers.setdefault(loss.measures, loss.distance(numbers["game_at_best"]))
    numbers["slope"] = field.slope
    found = of_law(law.data, x)
    if found:
        numbers |= told(found)
    return Look(
        numbers,
        found,
        x.numpy(),
        sampler.codes(range(law.n), law.seed).numpy(),
        law.masses,
        q,
        field,
        alone,
    )


def perfect(law: Law) -> dict[str, float]:
    """The same numbers of as many samples of the data itself: what a perfect sampler comes to."""
    x = law.draw("fresh")
    found = of_law(law.data, x)
    numbers = divergences(x, law.count(x), law) | (told(found) if found else {})
    return numbers | ({"perfect": found.perfect, "modes": found.count} if found else {})


def is_logit(loss: object) -> bool:
    """Whether the best D's output is log p/q, so that its sigmoid is the probability of real.

    In a relative loss it is so up to a constant only, which D is free to choose.
    """
    if not isinstance(loss, Solved) or getattr(loss, "relative", False):
        return False
    ratio = torch.linspace(-8, 8, 33)
    return bool(torch.allclose(loss.optimal(ratio), ratio))


@torch.no_grad()
def _value(D: nn.Module, loss: Loss, real: Tensor, fake: Tensor) -> float:
    """D's mean loss on samples that neither it nor G has learnt from."""
    size = max(_pack(D), PART - PART % _pack(D))
    whole = len(real) - len(real) % size
    pairs = zip(real[:whole].split(size), fake[:whole].split(size), strict=True)
    losses = [loss.d(_ask(D, r), _ask(D, f)) for r, f in pairs]
    return float(torch.cat(losses).double().mean())


def _pack(D: nn.Module) -> int:
    """How many samples D judges together."""
    return D.m if isinstance(D, Packed) else 1


def _group(D: nn.Module) -> int:
    """How many samples the statistic of a minibatch is of, in a D that has one."""
    return max([m.size for m in D.modules() if isinstance(m, MinibatchStd)], default=1)


def _ask(D: nn.Module, x: Tensor) -> Tensor:
    weight = next(D.parameters())
    out: Tensor = D(x.to(weight.device, weight.dtype), None)
    return out.float()


def _field(D: nn.Module, law: Law, x: Tensor, arrows: int = 400) -> Field:
    cells = Cells(law.cells.frame, FIELD[law.cells.axes])
    outputs, slopes = _slopes(D, torch.from_numpy(cells.centres))
    _, push = _slopes(D, x[:arrows])
    slope = float(slopes.norm(dim=1).max())
    shape = [cells.count] * cells.axes
    return Field(
        cells, outputs.numpy().reshape(shape), slope, x[:arrows].numpy(), push.double().numpy()
    )


def _slopes(D: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """D's outputs `(N,)` and its gradients `(N, d)`, on the CPU.

    A D that judges several samples together is asked for as many at the same place.
    """
    pack, group = _pack(D), _group(D)
    with torch.enable_grad():
        x = x.float().to(next(D.parameters()).device).requires_grad_()
        # a pack is of neighbours, a group of samples at equal distances
        out = _ask(D, x.repeat_interleave(pack, 0).repeat(group, 1))[: pack * len(x) : pack]
        (slope,) = torch.autograd.grad(out.sum(), x)
    return out.detach().cpu().double(), slope.cpu().double()
