"""Codes that mean something, found without labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_cli.auxiliary import Heard, check_weights
from gan_cli.batch import Batch
from gan_cli.prior import Prior
from gan_cli.prior.layout import Coded, Layout
from gan_cli.space import Space

FLOOR = 1e-6
"""The least variance that is guessed."""


@dataclass(frozen=True)
class InfoGAN:
    """Q guesses from a fake which codes it was made from, and both players want it to be right.

    Chen et al. 2016, arXiv 1606.03657, equations 5 and 6: the expectation of log Q(c | G(z, c))
    bounds the mutual information of codes and samples from below. Q is a head on D's features: a
    softmax for each categorical code, a Gaussian for each continuous one, whose weight is smaller
    so that it is on the scale of the rest. Its variance is 1 (or what `variance` says); with
    variance=null Q guesses that too.

    Needs: prior=codes (or categorical); a D with features (not model=autoencoder, pack=1).
    Trouble: a code that changes nothing one can see: a larger weight. Codes that are plain to Q
    but not to you: a smaller one. Two categories for one thing: another seed.
    """

    weight: float = 1.0
    continuous_weight: float = 0.1
    variance: float | None = 1.0

    def __post_init__(self) -> None:
        check_weights(weight=self.weight, continuous_weight=self.continuous_weight)
        if self.variance is not None and self.variance <= 0:
            raise ValueError(f"variance must be positive, or null, not {self.variance}")

    def guesses(self, space: Space, prior: Prior) -> int:
        """The logits of each categorical code, then the means, and the log variances if any."""
        categories, continuous = _layout(prior)
        return sum(categories) + continuous * (2 if self.variance is None else 1)

    def answer(self, output: Tensor, guess: Tensor) -> Tensor:
        """D's own."""
        return output

    def d(self, heard: Heard) -> Tensor:
        """-log Q(c | fake), `(N,)`, weighted code by code."""
        return self._surprise(heard.fake, heard.guess_fake, heard.prior)

    def g(self, fake: Batch, guess: Tensor, prior: Prior) -> Tensor:
        """-log Q(c | fake), `(N,)`, weighted code by code."""
        return self._surprise(fake, guess, prior)

    def refuses(self, space: Space, prior: Prior) -> str | None:
        """A prior without codes."""
        return None if isinstance(prior, Coded) else "it guesses codes, and z has none: prior=codes"

    def _surprise(self, fake: Batch, guess: Tensor, prior: Prior) -> Tensor:
        assert fake.z is not None
        layout = _layout(prior)
        categories, continuous, _ = layout.split(fake.z)
        logits, rest = guess.split(
            [sum(layout.categories), guess.shape[1] - sum(layout.categories)], 1
        )
        paid = guess.new_zeros(len(guess))
        for place, part in enumerate(logits.split(layout.categories, 1)):
            said = cross_entropy(part, categories[:, place], reduction="none")
            paid = paid + self.weight * said
        return paid + self.continuous_weight * self._gaussian(rest, continuous)

    def _gaussian(self, guess: Tensor, codes: Tensor) -> Tensor:
        """-log of the Gaussian density of the codes, `(N, m or 2 m), (N, m) -> (N,)`."""
        mean, spread = guess.split([codes.shape[1], guess.shape[1] - codes.shape[1]], 1)
        if self.variance is None:
            variance = spread.exp() + FLOOR
        else:
            variance = torch.full_like(mean, self.variance)
        return ((codes - mean).square() / variance + (2 * math.pi * variance).log()).sum(1) / 2


def _layout(prior: Prior) -> Layout:
    assert isinstance(prior, Coded)
    return prior.layout
