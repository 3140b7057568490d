"""Rejection of the samples that D takes for fake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_cli import randomness
from gan_cli.critics import BY_RATIO, ask, finite, tells_ratio
from gan_cli.errors import UserMistake
from gan_cli.loss import Loss, Unbounded
from gan_cli.prior import Prior
from gan_cli.sampler import BLOCK, Sampler


class Border(NamedTuple):
    """Where rejection begins: the greatest log ratio M, and gamma."""

    greatest: float
    gamma: float


@dataclass(frozen=True)
class Rejection:
    """A sample is kept with probability p/(M q), as D tells p/q.

    Azadi et al. 2018, arXiv 1810.06758, section 3: with D's logit, M the greatest of `burn_in`
    samples of each class, F = D - M - log(1 - e^(D - M - epsilon)), a sample is kept with
    probability sigmoid(F - gamma). gamma = 0 is rejection sampling itself, exact for the best D; in
    many dimensions it keeps next to nothing. With `percentile`, gamma is that percentile of F, as
    in the paper, so that a share of the samples is kept whatever M is: more than that, and worse
    ones, with a smaller one. None means gamma = 0. After `attempts` codes for one sample there is
    no further one.
    """

    percentile: float | None = 80.0
    burn_in: int = 4096
    epsilon: float = 1e-8
    attempts: int = 2000

    def __post_init__(self) -> None:
        if self.percentile is not None and not 0 <= self.percentile <= 100:
            raise ValueError(f"percentile is a number from 0 to 100, not {self.percentile}")
        if self.burn_in < 2 or self.attempts < 1:
            raise ValueError("burn_in is 2 or more, attempts 1 or more")
        if not 0 < self.epsilon < 1:
            raise ValueError(f"epsilon is above 0 and below 1, not {self.epsilon}")

    def refuses(self, loss: Loss, name: str, prior: Prior) -> str | None:
        """A D that gives no density ratio."""
        if tells_ratio(loss):
            return None
        return (
            f"the D of loss={name} does not say how much likelier a sample is as data, which "
            f"rejection needs: train with {BY_RATIO}"
            + ("; or --refine langevin" if isinstance(loss, Unbounded) else "")
        )

    def over(self, sampler: Sampler, D: nn.Module) -> Rejecting:
        """The first code of each sample that is kept."""
        return Rejecting(self, sampler, D)


class Rejecting:
    """Codes drawn until one is kept, for each sample by itself."""

    def __init__(self, way: Rejection, sampler: Sampler, D: nn.Module):
        self.way, self.sampler, self.D = way, sampler, D
        self.proposed = self.kept = 0
        self._borders: dict[int, Border] = {}

    def __call__(self, numbers: range, seed: int, c: Tensor | None) -> Tensor:
        """The first code of each sample that is kept, `(len(numbers), z_dim)`, on the CPU.

        Raises UserMistake where D rejects all of them.
        """
        borders = self._borders_of(len(numbers), c)
        found = self.sampler.codes(numbers, seed).clone()
        open_ = torch.arange(len(numbers))
        for attempt in range(self.way.attempts):
            z = self.sampler.codes(numbers, _again(seed, attempt))[open_]
            asked = None if c is None else c[open_]
            chance = self._chance(self._scores(z, asked), borders[open_])
            keep = _uniform(numbers, seed, attempt)[open_] < chance
            found[open_[keep]] = z[keep]
            self.proposed, self.kept = self.proposed + len(open_), self.kept + int(keep.sum())
            open_ = open_[~keep]
            if not len(open_):
                return found
        raise UserMistake(
            f"D rejects all of {self.way.attempts} codes for a sample, it is so sure of fakes: "
            f"--refine {'rejection' if self.way.percentile is None else 'langevin'}"
        )

    def _chance(self, scores: Tensor, border: Tensor) -> Tensor:
        """The probability to be kept, `(N,), (N, 2) -> (N,)`, in float64."""
        return (self._f(scores, border[:, 0]) - border[:, 1]).sigmoid()

    def _f(self, scores: Tensor, greatest: Tensor) -> Tensor:
        """F of the paper, equation 8, `(N,), (N,) -> (N,)`, finite."""
        gap = (scores.double() - greatest.double()).clamp(max=0)
        return gap - torch.log(-torch.expm1(gap - self.way.epsilon))

    def _borders_of(self, n: int, c: Tensor | None) -> Tensor:
        """M and gamma of each sample, `(n, 2)`, float64."""
        labels = [-1] * n if c is None else [int(label) for label in c]
        for label in sorted(set(labels) - self._borders.keys()):
            self._borders[label] = self._border(label)
        return torch.tensor([self._borders[label] for label in labels], dtype=torch.float64)

    def _border(self, label: int) -> Border:
        """M and gamma of a class, from codes that are the same for every seed."""
        first = randomness.mix("burn-in")
        n = self.way.burn_in
        z = self.sampler.codes(range(n), first)
        scores = self._scores(z, None if label < 0 else torch.full((n,), label))
        greatest = scores.max().double()
        if self.way.percentile is None:
            return Border(float(greatest), 0.0)
        f = self._f(scores, greatest.expand(n))
        return Border(float(greatest), float(f.quantile(self.way.percentile / 100)))

    @torch.no_grad()
    def _scores(self, z: Tensor, c: Tensor | None) -> Tensor:
        """D's outputs on the samples of these codes, `(N,)`, on the CPU, a few at a time."""
        told = []
        asked = [None] * -(-len(z) // BLOCK) if c is None else list(c.split(BLOCK))
        for codes, labels in zip(z.split(BLOCK), asked, strict=True):
            x = self.sampler.generate(codes, labels).to(self.sampler.device)
            told.append(ask(self.D, x, labels))
        return finite(torch.cat(told)).cpu()


def _again(seed: int, attempt: int) -> int:
    """The seed of a further attempt: the first one takes the codes that would be drawn anyway."""
    return randomness.mix("again", seed, attempt) if attempt else seed


def _uniform(numbers: range, seed: int, attempt: int) -> Tensor:
    """A number from U(0, 1) for each sample, `(len(numbers),)`, float64."""
    first, last = numbers.start // BLOCK, (numbers.stop - 1) // BLOCK
    drawn = [
        torch.rand(
            BLOCK,
            dtype=torch.float64,
            generator=randomness.generator("keep", seed, attempt, block),
        )
        for block in range(first, last + 1)
    ]
    return torch.cat(drawn)[numbers.start - first * BLOCK :][: len(numbers)]
