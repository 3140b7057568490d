"""Least squares in place of the logarithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass(frozen=True)
class LSGAN:
    """D regresses real to b and fake to a; G wants its fakes at c.

    Mao et al. 2017, arXiv 1611.04076, equation 2, on raw outputs (no sigmoid); a=0, b=c=1 is
    their equation 9, and b - c = 1, b - a = 2 minimises Pearson chi-squared between p+q and 2q.

    Curves: D's loss 0.25 and G's 0.125 at equilibrium (a=0, b=c=1), with D's outputs near 0.5.
        D's near 0 with G's near 0.5 means that D has won; G's gradient is then still there.
    Needs: nothing; D's outputs are not bounded, so neither are its gradients.
    Trouble: spikes of the loss: clip_grad=1 or a smaller optimizer.lr. D at 0 for long:
        penalty=r1, or optimizer.d_lr=… below G's.
    """

    a: float = 0.0
    b: float = 1.0
    c: float = 1.0
    relative: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.b > self.a:
            raise ValueError(f"b (real) must be larger than a (fake): b={self.b}, a={self.a}")
        if not self.c > self.a:
            raise ValueError(f"c (G's aim) must be larger than a (fake): c={self.c}, a={self.a}")

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """(D(x) - b)²/2 + (D(G(z)) - a)²/2, `(N,), (N,) -> (N,)`."""
        return ((real - self.b).square() + (fake - self.a).square()) / 2

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """(D(G(z)) - c)²/2, `(N,) -> (N,)`."""
        return (fake - self.c).square() / 2

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """(b p + a q)/(p + q), equation 5."""
        return self.a + (self.b - self.a) * log_ratio.sigmoid()
