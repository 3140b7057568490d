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
from gan_cli.prior.layout import Coded
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
        assert isinstance(prior, Coded)
        categories, continuous = prior.layout
        return sum(categories) + continuous * (1 if self.variance else 2)

    def answer(self, output: Tensor, guess: Tensor) -> Tensor:
        """D's own."""
        return output

    def d(self, heard: Heard) -> Tensor:
        """-log Q(c | fake), `(N,)`."""
        return self._surprise(heard.fake, heard.guess_fake)
