"""G and D measured against a law that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.dataset.density import Modal
from gan_cli.loss import Loss
from gan_cli.sampler import Sampler, evaluating
from gan_cli.toy.cells import Array, Cells, jensen_shannon, kullback_leibler
from gan_cli.toy.law import Law
from gan_cli.toy.modes import Modes, modes

FIELD = {1: 512, 2: 144}
"""Places along each axis where D is asked, by the number of axes."""

BATCH = 2048
"""Samples that G makes at a time."""

PART = 500
"""Samples of each kind that D judges at a time: some losses look across their batch."""

ANGLES = 32
"""Directions, evenly spaced, onto which points are projected for the sliced distance."""


@runtime_checkable
class Measures(Protocol):
    """A loss that is a divergence at its best D."""

    measures: ClassVar[str]
    """The divergence by its short name: js, w1, tv …"""

    def divergence(self, d_loss: float) -> float:
        """The divergence that D's mean loss comes to; with any other D, less than the true one."""
        ...


@runtime_checkable
class Solved(Protocol):
    """A loss whose best D is known in closed form."""

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """The output of the best D where log p/q is `log_ratio`."""
        ...


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
    """

    numbers: dict[str, float]
    modes: Modes | None
    x: Array
    z: Array
    p: Array
    q: Array
    field: Field


def look(sampler: Sampler, D: nn.Module, loss: Loss, law: Law) -> Look:
    """Measure G's samples, and D's value on them and on as many fresh samples of the data."""
    x = sampler.sample(law.n, law.seed, BATCH).double()
    real = law.draw("value")
    q = law.count(x)
    numbers = _divergences(x, q, law)
    with evaluating(D):
        value = _value(D, loss, real, x)
        field = _field(D, law, x)
    numbers["game"] = value
    if isinstance(loss, Measures):
        numbers[f"{loss.measures}_by_d"] = loss.divergence(value)
    numbers["slope"] = field.slope
    found = _modes(law, x)
    if found:
        numbers |= _told(found)
    return Look(
        numbers,
        found,
        x.numpy(),
        sampler.codes(range(law.n), law.seed).numpy(),
        law.masses,
        q,
        field,
    )


def transport(x: Array, law: Law) -> dict[str, float]:
    """Distances of samples from the law: W1 exactly on a line, sliced in the plane."""
    if law.quantiles is not None:
        return {"w1": float(np.abs(np.sort(x.ravel()) - law.quantiles).mean())}
    real = law.draw("value").numpy()
    angle = np.arange(ANGLES) * math.pi / ANGLES
    onto = np.stack([np.cos(angle), np.sin(angle)])
    gaps = np.sort(x @ onto, 0) - np.sort(real @ onto, 0)
    return {"sliced_w1": float(np.abs(gaps).mean())}


def is_logit(loss: object) -> bool:
    """Whether the best D's output is log p/q, so that its sigmoid is the probability of real."""
    if not isinstance(loss, Solved):
        return False
    ratio = torch.linspace(-8, 8, 33)
    return bool(torch.allclose(loss.optimal(ratio), ratio))


def _divergences(x: Tensor, q: Array, law: Law) -> dict[str, float]:
    p = law.masses
    return {
        "js": jensen_shannon(p, q),
        "js_floor": law.floor,
        "kl": kullback_leibler(p, q, len(x)),
        "reverse_kl": kullback_leibler(q, p, len(x)),
        **transport(x.numpy(), law),
    }


@torch.no_grad()
def _value(D: nn.Module, loss: Loss, real: Tensor, fake: Tensor) -> float:
    """D's mean loss on samples that neither it nor G has learnt from."""
    pairs = zip(real.split(PART), fake.split(PART), strict=True)
    losses = [loss.d(_ask(D, r), _ask(D, f)) for r, f in pairs]
    return float(torch.cat(losses).double().mean())


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
    """D's outputs `(N,)` and its gradients `(N, d)`, on the CPU."""
    with torch.enable_grad():
        x = x.float().to(next(D.parameters()).device).requires_grad_()
        out = _ask(D, x)
        (slope,) = torch.autograd.grad(out.sum(), x)
    return out.detach().cpu().double(), slope.cpu().double()


def _modes(law: Law, x: Tensor) -> Modes | None:
    data = law.data
    return modes(x, data.means, data.std, data.shares) if isinstance(data, Modal) else None


def _told(found: Modes) -> dict[str, float]:
    """The modes as numbers by name; quality as a distance from a perfect sampler's."""
    mean, least, most = found.spread
    return {
        "modes": found.found,
        "quality": found.share,
        "quality_gap": abs(found.share - found.perfect),
        "modes_kl": found.kl,
        "spread": mean,
        "spread_least": least,
        "spread_most": most,
    }
