"""The zero-centred gradient penalty on real data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gan_cli.penalty import Seen, check_weight, sees_other_samples, slope_squared


@dataclass(frozen=True)
class R1:
    """γ/2 ‖∇D(x)‖² at real samples.

    Mescheder et al. 2018, arXiv 1801.04406, equation 9: γ = 10; with it the game converges locally
    even where the data lie on a thin manifold. `every` > 1 is the lazy form of Karras et al. 2020,
    arXiv 1912.04958, section 3.1. Karras et al. scale γ with the number of pixels: data of few
    dimensions want much less (penalty=r1_small: 0.1), and R3GAN starts at 0.05 together with R2
    (penalty=[r1_r3gan,r2_r3gan]).

    Needs: a D whose samples don't see each other (no batch norm). Goes with every loss.
    Trouble: too large a γ leaves D flat, and G blurred or still: a tenth of it. Too small, and D's
    loss falls to 0 while samples get worse: ten times it. Fakes that run away: add r2.
    """

    holds: ClassVar[bool] = True

    gamma: float = 10.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, gamma=self.gamma)

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each real sample, `(N,)`."""
        return self.gamma / 2 * slope_squared(seen.D, seen.real.x, seen.real.c)

    def refuses(self, D: nn.Module) -> str | None:
        """Batch norm in D is refused: the norm of one sample's gradient has no meaning there."""
        return sees_other_samples(D)
