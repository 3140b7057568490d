"""The auxiliary discriminative classifier."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_cli.auxiliary import Heard, check_weights, labels, needs_labels
from gan_cli.batch import Batch
from gan_cli.prior import Prior
from gan_cli.space import Space


@dataclass(frozen=True)
class ADC:
    """A classifier that knows each class twice, real and fake.

    Hou et al. 2021, arXiv 2107.10060, equation 9: of 2K classes a real sample of class c is c⁺,
    a fake c⁻, and G pays -log C(c⁺ | fake) + log C(c⁻ | fake). At the best classifier that is a
    divergence between the samples and the data of each class, so that G loses no variety to it.

    Needs: labels, task=label; a D with features (not model=autoencoder, pack=1).
    Trouble: G's side of it far above 0, D tells every fake: a smaller auxiliary.adc.g_weight, or
    penalty=r1.
    """

    d_weight: float = 1.0
    g_weight: float = 1.0

    def __post_init__(self) -> None:
        check_weights(d_weight=self.d_weight, g_weight=self.g_weight)

    def guesses(self, space: Space, prior: Prior) -> int:
        """A logit for each real class, then one for each fake one."""
        return 2 * len(space.classes)

    def answer(self, output: Tensor, guess: Tensor) -> Tensor:
        """D's own."""
        return output

    def d(self, heard: Heard) -> Tensor:
        """-log C(c⁺ | real) - log C(c⁻ | fake), `(N,)`."""
        as_fake = labels(heard.fake) + heard.guess_fake.shape[1] // 2
        paid = cross_entropy(heard.guess_real, labels(heard.real), reduction="none")
        return self.d_weight * (paid + cross_entropy(heard.guess_fake, as_fake, reduction="none"))

    def g(self, fake: Batch, guess: Tensor, prior: Prior) -> Tensor:
        """-log C(c⁺ | fake) + log C(c⁻ | fake), `(N,)`: the difference of two logits."""
        c = labels(fake)[:, None]
        gap = guess.gather(1, c + guess.shape[1] // 2) - guess.gather(1, c)
        return self.g_weight * gap.squeeze(1)

    def refuses(self, space: Space, prior: Prior) -> str | None:
        """A task without labels."""
        return needs_labels(space)
