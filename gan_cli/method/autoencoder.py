"""The autoencoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.facts import Facts
from gan_cli.method.coder import USES, Coder
from gan_cli.method.kit import Kit


@dataclass(frozen=True)
class Autoencoder:
    """An encoder makes codes of samples, and a decoder makes the samples of their codes again.

    Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks",
    Science 313: the mean squared error of what comes back. Nothing says where codes lie, so what
    the decoder makes of codes of the prior is anything; method=vae says where.

    Needs: a D with features, whose body is the encoder (not model=autoencoder).
    Trouble: samples that are like none of the data: that is what it shows; method=vae.
    """

    uses: ClassVar[frozenset[str]] = USES

    def make(self, kit: Kit) -> Codes:
        """Encoder and decoder. UserMistake when parts don't go together."""
        return Codes(self, kit, numbers=1)


class Codes(Coder):
    """Encoder and decoder, both descending the squared error of what comes back.

    Hinton and Salakhutdinov 2006.
    """

    def loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """The mean squared error of each sample, `(N,)`; and how long its codes are.

        code/rms is the root mean square of the codes' numbers: that of the usual prior is 1.
        """
        z = self.E(real.x, real.c)
        error = (self.G(z, real.c) - real.x).square().flatten(1).mean(1)
        facts = {"loss": error.mean(), "code/rms": z.square().mean().sqrt()}
        return error, {name: fact.detach() for name, fact in facts.items()}
