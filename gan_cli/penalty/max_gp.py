"""The penalty on the largest slope of Lipschitz GANs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gan_cli import dist
from gan_cli.penalty import Seen, between, check_weight, sees_other_samples, slope


@dataclass(frozen=True)
class MaxGradientPenalty:
    """λ max(0, max ‖∇D(x̂)‖ - target)², the largest slope of the batch on lines from real to fake.

    Zhou et al. 2019, arXiv 1902.05687: D's Lipschitz constant itself is made small (target 0), and
    the largest slope seen stands for it; λ = 0.1 as in the authors' code. A mean lets one place be
    steep if all others are flat; this does not. With target 1 it is a Lipschitz penalty for
    loss=wgan.

    Needs: a D whose samples don't see each other (no batch norm). Every sample pays the same, so
    with accumulate=k it is the largest slope of each part.
    Trouble: it pulls at one sample at a time, and its curve is ragged: a larger batch_size, or
    penalty=lp.
    """

    holds: ClassVar[bool] = True
    crosses: ClassVar[bool] = True  # what a sample pays depends on the others

    weight: float = 0.1
    target: float = 0.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight, target=self.target)

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of the batch, for each of its samples, `(N,)`."""
        norm = slope(seen.D, between(seen), seen.real.c)
        return self.weight * (dist.whole(norm).max() - self.target).relu().square().expand_as(norm)

    def refuses(self, D: nn.Module) -> str | None:
        """Batch norm in D is refused: the norm of one sample's gradient has no meaning there."""
        return sees_other_samples(D)
