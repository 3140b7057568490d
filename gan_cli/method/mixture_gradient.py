"""A mixture of Gaussians, by gradient ascent on the likelihood."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from gan_cli import dist
from gan_cli.batch import Batch
from gan_cli.facts import Facts
from gan_cli.method.kit import Kit
from gan_cli.method.likelihood import mixture
from gan_cli.method.single import Single
from gan_cli.model.mixture import Full, MixtureGenerator
from gan_cli.player import Player


@dataclass(frozen=True)
class MixtureGradient:
    """Gradient ascent of a mixture of Gaussians on the mean log-likelihood, batch by batch.

    What method=mixture does by expectation maximisation, that of Dempster, Laird and Rubin 1977.
    Its step is a gradient step too, with a matrix for a rate (Xu and Jordan 1996, "On convergence
    properties of the EM algorithm for Gaussian mixtures"); but here any part of the data will do
    for a step. The components start at samples of the first batch, as wide as all of it.

    Needs: model=mixture, which it brings.
    Trouble: components of no weight, two of them at one place: method=mixture finds better starts.
    A likelihood that jumps: optimizer.lr=1e-4.
    """

    uses: ClassVar[frozenset[str]] = frozenset(
        "model prior optimizer accumulate clip_grad ema".split()
    )

    def make(self, kit: Kit) -> Ascent:
        """The mixture, at its start. UserMistake when parts don't go together."""
        return Ascent(kit.learner(mixture(kit), averaged=True), kit.accumulate)


class Ascent(Single):
    """G, which makes the data likely (Xu and Jordan 1996)."""

    def __init__(self, G: Player, accumulate: int):
        super().__init__({"G": G}, accumulate)
        self.G, self.net = G, cast(MixtureGenerator, G.net)

    @property
    def generator(self) -> nn.Module:
        """The mixture's average, or the mixture where there is none."""
        return self.G.best

    def step(self, batches: Iterable[Batch], step: int) -> Facts:
        """One step up the gradient of the likelihood of a batch."""
        (real,) = batches
        if self.G.updates == 0:
            self.begin(dist.whole(real.x.flatten(1)))
        return self.turn(lambda: self.G.descend(self.loss, real, self.accumulate), self.G)

    def loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """Minus the log-likelihood of each sample in nats, `(N,)`."""
        likelihood = self.net.log_prob(real.x)
        told = likelihood.detach().mean()
        return -likelihood, {"loss": -told, "log_likelihood": told}

    @torch.no_grad()
    def begin(self, x: Tensor) -> None:
        """Put the components at samples x `(N, d)`, each with the variances of all of them."""
        count = len(self.net.means)
        order = torch.randperm(len(x), device=x.device).repeat(-(-count // len(x)))[:count]
        spread = x.var(0, correction=0).clamp(min=2 * self.net.floor).expand(count, -1)
        covariances = spread.diag_embed() if isinstance(self.net, Full) else spread
        self.net.fit(x.new_full((count,), 1 / count), x[order], covariances)
