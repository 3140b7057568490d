"""The zero-centred gradient penalty on generated data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gan_cli.penalty import Seen, check_weight, sees_other_samples, slope_squared


@dataclass(frozen=True)
class R2:
    """γ/2 ‖∇D(x)‖² at generated samples.

    Mescheder et al. 2018, arXiv 1801.04406, equation 10: γ = 10. The fakes are held fixed, so G
    does not learn to make D flat. Huang et al. 2024, arXiv 2501.05441 (R3GAN) need it beside R1:
    early on D is flat on the data alone, and its gradient explodes where G is.

    Needs: a D whose samples don't see each other (no batch norm). Goes with every loss, best
    beside R1: penalty=[r1,r2].
    Trouble: the same as R1's, and one more: alone it says nothing about the data, so D may be
    steep there: penalty=[r1,r2].
    """

    holds: ClassVar[bool] = True

    gamma: float = 10.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, gamma=self.gamma)

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each generated sample, `(N,)`."""
        return self.gamma / 2 * slope_squared(seen.D, seen.fake.x, seen.fake.c)

    def refuses(self, D: nn.Module) -> str | None:
        """Batch norm in D is refused: the norm of one sample's gradient has no meaning there."""
        return sees_other_samples(D)
