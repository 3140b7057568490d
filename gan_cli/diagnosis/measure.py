"""What is measured of samples and of D's answers, as numbers: the only part that needs torch."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

TWIN = 0.25
"""Samples are twins that are nearer than this share of the usual distance to the nearest one."""

FAR = 32
"""Pixels along a side from which pictures are looked at: larger ones are made smaller."""

PAIRS = 64
"""Pairs within classes that are enough for a mean distance."""

FEW = 16
"""Samples that are too few for any number."""


def of_samples(
    fake: Tensor, real: Tensor, asked: Tensor | None, kinds: Tensor | None
) -> dict[str, float]:
    """`diversity`, `duplicates`, `classes` and `distance`, those that are to be had.

    fake, real `(N, …), (N, …)`: as many of each, `fake` under the conditions of `real`; `asked`
    `(N,)` are these, where they are labels. kinds `(N,)`: the labels of `real` where nobody asks
    for them. `distance` is the energy distance as a share of the mean distance between both kinds
    (Szekely and Rizzo 2013, doi 10.1016/j.jspi.2013.03.018, H of section 4): 0 for the same law,
    1 for two points.
    """
    n = len(real)
    if n < FEW:
        return {}
    both = torch.cat([_flat(fake), _flat(real)])
    between = torch.cdist(both, both)
    fakes, reals, mixed = between[:n, :n], between[n:, n:], between[:n, n:]
    told = {}
    if float(reals.max()) > 0:
        told["diversity"] = _mean(fakes, asked) / _mean(reals, asked)
        cross = 2 * float(mixed.mean())
        gap = cross - float(fakes.sum() + reals.sum()) / (n * (n - 1))
        told["distance"] = max(0.0, gap / cross)
    usual = float(_nearest(reals).median())
    if usual > 0:
        twins = (_nearest(one) < TWIN * usual for one in (fakes, reals))
        fake_share, real_share = (float(one.double().mean()) for one in twins)
        told["duplicates"] = max(0.0, fake_share - real_share)
    if kinds is not None and _perplexity(kinds) > 1:
        told["classes"] = _perplexity(kinds[mixed.argmin(1)]) / _perplexity(kinds)
    return told


def of_modes(fake: Tensor, real: Tensor, modes: Tensor) -> dict[str, float]:
    """`classes` of points, `(N, d), (N, d), (K, d)`: how many modes they fall on."""
    if len(modes) < 2 or len(real) < FEW:
        return {}
    mine, theirs = (_perplexity(torch.cdist(x, modes).argmin(1)) for x in (fake, real))
    return {"classes": mine / theirs}


def auc(real: Tensor, fake: Tensor) -> float:
    """The share of pairs of a real and a fake that D puts in the right order, `(N,), (M,)`.

    The area under its ROC curve (Mann and Whitney 1947); whatever the loss, for it goes by ranks.
    """
    more = (real[:, None] > fake).double().mean()
    return float(more + (real[:, None] == fake).double().mean() / 2)


class Pays(Protocol):
    """G's side of a loss."""

    @property
    def relative(self) -> bool:
        """Whether it reads D's outputs on real samples."""
        ...

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """What G pays, `(N,), (N,) -> (N,)`."""
        ...


def slope(loss: Pays, real: Tensor, fake: Tensor) -> float | None:
    """How steep G's loss is in D's outputs on fakes, over how steep it would be if they passed for
    real, `(N,), (N,)`: near 0 where the loss is flat and D sure (Goodfellow et al. 2014, arXiv
    1406.2661, section 3, of the minimax loss). None where it would not be steep at all."""

    def steepness(at: Tensor) -> float:
        at = at.detach().clone().requires_grad_()
        with torch.enable_grad():
            paid = loss.g(real if loss.relative else None, at).sum()
            (gradient,) = torch.autograd.grad(paid, at)
        return float(gradient.abs().mean())

    passed = steepness(real)
    return steepness(fake) / passed if passed > 0 else None


def overfit(train: Tensor, held: Tensor, fake: Tensor) -> float | None:
    """r_v of Karras et al. 2020, arXiv 2006.06676, equation 1, of D's outputs, `(N,)` each.

    None where D tells fakes too little from what it learns from: it would be noise over noise.
    """
    if min(map(len, (train, held, fake))) < FEW:
        return None
    gap = float(train.mean() - fake.mean())
    noise = float(((train.var() + held.var() + 2 * fake.var()) / len(held)).sqrt())
    return float(train.mean() - held.mean()) / gap if gap > 4 * noise else None


def _flat(x: Tensor) -> Tensor:
    """Samples as rows of float64, large pictures made smaller, `(N, …) -> (N, d)`."""
    if x.dim() == 4 and max(x.shape[2:]) > FAR:
        x = adaptive_avg_pool2d(x, FAR)
    return x.flatten(1).double()


def _mean(distances: Tensor, asked: Tensor | None) -> float:
    """The mean over pairs, `(N, N)`; of the same class, where there are enough of these."""
    pairs = ~torch.eye(len(distances), dtype=torch.bool)
    if asked is not None:
        alike = pairs & (asked[:, None] == asked)
        pairs = alike if int(alike.sum()) >= 2 * PAIRS else pairs
    return float(distances[pairs].mean())


def _nearest(distances: Tensor) -> Tensor:
    """How far the nearest other one is, `(N, N) -> (N,)`."""
    return distances.clone().fill_diagonal_(torch.inf).amin(1)


def _perplexity(labels: Tensor) -> float:
    """The exponential of the entropy of labels `(N,)`: how many there are, in effect."""
    shares = torch.bincount(labels).double() / len(labels)
    return float(torch.special.entr(shares).sum().exp())
