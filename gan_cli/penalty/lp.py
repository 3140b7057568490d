"""The one-sided gradient penalty of WGAN-LP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gan_cli.penalty import Seen, between, check_weight, sees_other_samples, slope


@dataclass(frozen=True)
class LipschitzPenalty:
    """λ max(0, ‖∇D(x̂)‖ - target)² at x̂ uniform on the line between a real and a fake sample.

    Petzka et al. 2017, arXiv 1709.08894: D may be flat, it may not be steep. A best critic has
    slope 1 along the lines of an optimal transport alone, and the lines between random pairs are
    others, so nothing asks for slope 1 there. λ = 10 and target 1, as in WGAN-GP, to be
    comparable.

    Needs: a D whose samples don't see each other (no batch norm). Less sensitive to a large weight
    than penalty=gp.
    Trouble: D's slope stays well above 1 while G is far from the data: penalty.lp.weight=100.
    """

    holds: ClassVar[bool] = True

    weight: float = 10.0
    target: float = 1.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight, target=self.target)

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each pair (real, fake), `(N,)`."""
        norm = slope(seen.D, between(seen), seen.real.c)
        return self.weight * (norm - self.target).relu().square()

    def refuses(self, D: nn.Module) -> str | None:
        """Batch norm in D is refused: the norm of one sample's gradient has no meaning there."""
        return sees_other_samples(D)
