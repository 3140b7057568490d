"""What D sees in samples, to be the same in fakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from gan_cli import dist
from gan_cli.space import Space
from gan_cli.term import Played, check_weight


class _Featured(Protocol):
    width: int

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True)
class FeatureMatching:
    """Fakes are to have the features of real samples, as D's last layer but one sees them.

    Without a right answer, ‖E f(x) - E f(G(z))‖², of the means over the batch (Salimans et al.
    2016, arXiv 1606.03498, section 3.1; there instead of the game, here beside it, and the mean
    over the features where they have the sum). Where there is one, |f(x) - f(G(z, c))| of each
    sample, the mean over the features (Wang et al. 2017, arXiv 1711.11585, equation 4, there of
    every layer), with their λ = 10.

    Needs: a D with features (not model=autoencoder, pack=1).
    Trouble: a term much larger than the loss of G: a smaller weight.
    """

    weight: float = 10.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)

    def __call__(self, played: Played) -> Tensor:
        """What each sample costs, `(N,)`; without a right answer, each the same."""
        D, real, fake = cast(_Featured, played.D), played.real, played.fake
        with torch.no_grad():
            wanted = D.features(real.x, real.c).float()
        found = D.features(fake.x, fake.c).float()
        if fake.c is not None and fake.c.dim() > 1:
            return self.weight * (wanted - found).abs().flatten(1).mean(1)
        gap = wanted.flatten(1).mean(0) - found.flatten(1).mean(0)
        apart = dist.mean([gap])[0].square().mean()
        return self.weight * apart.expand(len(fake))

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """No D, or one without features; images that are in no pairs."""
        if D is None:
            return "it needs D's features, and here is no D: method=gan, or term=l1"
        if not getattr(D, "width", 0):  # what heads are attached to
            return "it needs D's features, and this D has none: model=dcgan (or unet) and pack=1"
        if not space.paired:
            return "what is given has no right answer here, and others are no match: leave it out"
        return None
