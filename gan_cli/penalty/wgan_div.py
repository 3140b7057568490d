"""The gradient term of the Wasserstein divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gan_cli.penalty import Seen, between, check_weight, sees_other_samples, slope


@dataclass(frozen=True)
class WassersteinDivergence:
    """k ‖∇D(x̂)‖ᵖ at x̂ uniform on the line between a real and a fake sample.

    Wu et al. 2018, arXiv 1712.01026, Algorithm 1: k = 2, p = 6. With loss=wgan the whole is their
    Wasserstein divergence, for which D needs no Lipschitz bound: a steep D pays, a flat one does
    not, and nothing asks for a slope of 1. For a D of slope s alone, s θ - k sᵖ is largest at s =
    (θ / kp)^(1/(p - 1)): 0.61 at θ = 1.

    Needs: loss=wgan, and a D whose samples don't see each other (no batch norm). D's loss is then
    a divergence, not a distance in the data's units.
    Trouble: the sixth power is a wall: a first D of slope 3 pays 1458. If it starts with a jump, a
    lower optimizer.lr, or penalty.wgan_div.power=2.
    """

    holds: ClassVar[bool] = True

    weight: float = 2.0
    power: float = 6.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)
        if self.power < 1:
            raise ValueError(f"power must be 1 or more, not {self.power}")

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each pair (real, fake), `(N,)`."""
        return self.weight * slope(seen.D, between(seen), seen.real.c) ** self.power

    def refuses(self, D: nn.Module) -> str | None:
        """Batch norm in D is refused: the norm of one sample's gradient has no meaning there."""
        return sees_other_samples(D)
