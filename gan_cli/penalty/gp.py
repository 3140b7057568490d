"""The gradient penalty of WGAN-GP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gan_cli.penalty import Seen, between, check_weight, sees_other_samples, slope


@dataclass(frozen=True)
class GradientPenalty:
    """λ (‖∇D(x̂)‖ - target)² at x̂ uniform on the line between a real and a fake sample.

    Gulrajani et al. 2017, arXiv 1704.00028, equation 3: two-sided, λ = 10, target 1. One epsilon
    and one norm per sample, so that a critic of slope 1 pays nothing at any batch size. Karras et
    al. 2018, arXiv 1710.10196, appendix A.1, set the target to 750 on CIFAR-10, with λ/target² as
    weight.

    Needs: a D whose samples don't see each other (no batch norm), and about twice the time of a D
    step. Made for loss=wgan; works with any loss.
    Trouble: the penalty stays near 10 when D has no slope at all: a higher optimizer.lr, or a
    larger D. Near its end the game goes round the solution instead of into it (Mescheder et al.
    2018): penalty=r1 ends that.
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
        return self.weight * (norm - self.target).square()

    def refuses(self, D: nn.Module) -> str | None:
        """Batch norm in D is refused: the norm of one sample's gradient has no meaning there."""
        return sees_other_samples(D)
