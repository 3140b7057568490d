"""Twin auxiliary classifiers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_cli.auxiliary import Heard, check_weights, labels, needs_labels
from gan_cli.batch import Batch
from gan_cli.prior import Prior
from gan_cli.space import Space


@dataclass(frozen=True)
class TAC:
    """A classifier of real samples, and a twin of G's that G wants to confuse.

    Gong et al. 2019, arXiv 1907.02690, equations 3 and 4: the auxiliary classifier alone pushes
    the classes apart even where those of the data overlap. The twin learns from fakes only, and G
    pays -log C(c | fake) + log C_twin(c | fake), which takes the push away. With `fakes` the
    first classifier learns from fakes too.

    Needs: labels, task=label; a D with features (not model=autoencoder, pack=1).
    Trouble: losses that swing (a third player against G): smaller weights, or auxiliary=adc.
    """

    d_weight: float = 1.0
    g_weight: float = 1.0
    fakes: bool = False

    def __post_init__(self) -> None:
        check_weights(d_weight=self.d_weight, g_weight=self.g_weight)

    def guesses(self, space: Space, prior: Prior) -> int:
        """The logits of both classifiers, the twin's last."""
        return 2 * len(space.classes)

    def answer(self, output: Tensor, guess: Tensor) -> Tensor:
        """D's own."""
        return output

    def d(self, heard: Heard) -> Tensor:
        """-log C(c | real) - log C_twin(c | fake), `(N,)`."""
        c, c_fake = labels(heard.real), labels(heard.fake)
        of_real, _ = heard.guess_real.chunk(2, 1)
        of_fake, twin = heard.guess_fake.chunk(2, 1)
        paid = cross_entropy(of_real, c, reduction="none")
        paid = paid + cross_entropy(twin, c_fake, reduction="none")
        if self.fakes:
            paid = paid + cross_entropy(of_fake, c_fake, reduction="none")
        return self.d_weight * paid

    def g(self, fake: Batch, guess: Tensor, prior: Prior) -> Tensor:
        """-log C(c | fake) + log C_twin(c | fake), `(N,)`."""
        first, twin = guess.chunk(2, 1)
        c = labels(fake)
        gap = cross_entropy(first, c, reduction="none") - cross_entropy(twin, c, reduction="none")
        return self.g_weight * gap

    def refuses(self, space: Space, prior: Prior) -> str | None:
        """A task without labels."""
        return needs_labels(space)
