"""D as a classifier of K classes, from few labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_cli.auxiliary import Heard, check_weights, labels
from gan_cli.batch import Batch
from gan_cli.prior import Prior
from gan_cli.space import Space


@dataclass(frozen=True)
class Semi:
    """D names the class of real samples, of which few have labels; 'fake' is one class more.

    Salimans et al. 2016, arXiv 1606.03498, section 5. Of K + 1 logits the head gives those of the
    classes, and D's own answer is, with its sign turned, that of a fake (which the paper sets to
    0, since K are enough). So D's raw output is log Σ_k exp l_k(x) + D(x), the log odds of real.
    Samples with a label pay -log softmax(l)_c, times `weight`: with 1/task.share they count as
    much as all the others.

    Needs: task=semi; a D with features (not model=autoencoder, pack=1).
    Trouble: G's samples of low variety: none of it matters to the classifier. A classifier no
    better than one without a GAN: term=feature_matching, as in the paper.
    """

    weight: float = 8.0

    def __post_init__(self) -> None:
        check_weights(weight=self.weight)

    def guesses(self, space: Space, prior: Prior) -> int:
        """A logit for each class."""
        return len(space.kinds)

    def answer(self, output: Tensor, guess: Tensor) -> Tensor:
        """log Σ_k exp l_k + D(x), `(N,), (N, K) -> (N,)`."""
        return guess.logsumexp(1) + output

    def d(self, heard: Heard) -> Tensor:
        """-log softmax(l)_c of real samples whose label is known, `(N,)`; 0 of the others."""
        c = labels(heard.real)
        known = c >= 0
        said = cross_entropy(heard.guess_real, c.clamp(min=0), reduction="none")
        return self.weight * torch.where(known, said, torch.zeros_like(said))

    def g(self, fake: Batch, guess: Tensor, prior: Prior) -> Tensor:
        """Nothing: G only plays the game, `(N,)`."""
        return torch.zeros_like(guess[:, 0])

    def refuses(self, space: Space, prior: Prior) -> str | None:
        """A task in which no label is to be learnt."""
        return None if space.kinds else "it learns classes from few labels: task=semi"
