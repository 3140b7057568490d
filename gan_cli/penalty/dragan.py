"""The gradient penalty around real data of DRAGAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli import dist
from gan_cli.penalty import Seen, check_weight, each, sees_other_samples, slope


def deviation(x: Tensor) -> Tensor:
    """The standard deviation of all numbers of a batch, wherever its rows are."""
    if dist.size() == 1:
        return x.std(correction=0)
    (mean,) = dist.mean([x.mean()])
    return dist.mean([(x - mean).square().mean()])[0].sqrt()


@dataclass(frozen=True)
class DRAGAN:
    """λ (‖∇D(x + αδ)‖ - target)² around real samples, α from U(0, 1), δ as large as spread × std.

    Kodali et al. 2017, arXiv 1705.07215, section 2.3: λ = 10, target 1, to keep D from being steep
    close to the data, where it stops G. The paper's noise is Gaussian; the authors' code draws δ
    from 0.5 std U(0, 1) over all the batch's numbers, which moves every pixel up and never down.
    Here δ is from spread × std × U(-1, 1): the reach of their code, and the symmetry of the paper.
    One α a sample, as in their code.

    Needs: a D whose samples don't see each other (no batch norm). Made for loss=nonsaturating or
    minimax. The reach depends on the batch: its std, once a batch.
    Trouble: it asks for slope 1 even where D has told everything: penalty=r1 does not. Where data
    are many small islands, 0.5 std leads from one to the next: penalty.dragan.spread=0.1.
    """

    holds: ClassVar[bool] = True

    weight: float = 10.0
    target: float = 1.0
    spread: float = 0.5
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight, target=self.target, spread=self.spread)

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each real sample, `(N,)`."""
        real = seen.real.x
        far = 2 * dist.own_like(torch.rand_like, real) - 1
        delta = self.spread * deviation(real) * far
        norm = slope(seen.D, real + each(real) * delta, seen.real.c)
        return self.weight * (norm - self.target).square()

    def refuses(self, D: nn.Module) -> str | None:
        """Batch norm in D is refused: the norm of one sample's gradient has no meaning there."""
        return sees_other_samples(D)
