"""The auxiliary classifier."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_cli.auxiliary import Heard, check_weights, labels, needs_labels
from gan_cli.batch import Batch
from gan_cli.prior import Prior
from gan_cli.space import Space


@dataclass(frozen=True)
class ACGAN:
    """D names the class of every sample, and G wants its samples named right.

    Odena et al. 2016, arXiv 1610.09585, section 3: both players raise L_C = E log P(C = c | real)
    + E log P(C = c | fake). A head on D's features gives the logits. Without `fakes` D's
    classifier learns from real samples alone.

    Needs: labels, task=label; a D with features (not model=autoencoder, pack=1). D itself need
    not be told the label: condition=unseen, as in the paper.
    Trouble: samples of a class that all look alike, because easy ones are named best:
    auxiliary=adc or tac, or a smaller auxiliary.acgan.g_weight. A classifier that learns from
    poor fakes: auxiliary.acgan.fakes=false.
    """

    d_weight: float = 1.0
    g_weight: float = 1.0
    fakes: bool = True

    def __post_init__(self) -> None:
        check_weights(d_weight=self.d_weight, g_weight=self.g_weight)

    def guesses(self, space: Space, prior: Prior) -> int:
        """A logit for each class."""
        return len(space.classes)

    def answer(self, output: Tensor, guess: Tensor) -> Tensor:
        """D's own."""
        return output

    def d(self, heard: Heard) -> Tensor:
        """-log P(c | real) - log P(c | fake), `(N,)`."""
        paid = cross_entropy(heard.guess_real, labels(heard.real), reduction="none")
        if self.fakes:
            paid = paid + cross_entropy(heard.guess_fake, labels(heard.fake), reduction="none")
        return self.d_weight * paid

    def g(self, fake: Batch, guess: Tensor, prior: Prior) -> Tensor:
        """-log P(c | fake), `(N,)`."""
        return self.g_weight * cross_entropy(guess, labels(fake), reduction="none")

    def refuses(self, space: Space, prior: Prior) -> str | None:
        """A task without labels."""
        return needs_labels(space)
