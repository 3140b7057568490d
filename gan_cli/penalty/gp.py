"""The gradient penalty of WGAN-GP."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli.penalty import Seen, check_weight, sees_other_samples, slope


@dataclass(frozen=True)
class GradientPenalty:
    """λ (‖∇D(x̂)‖ - target)² at x̂ uniform on the line between a real and a fake sample.

    Gulrajani et al. 2017, arXiv 1704.00028, equation 3: two-sided, λ = 10, target 1. One epsilon
    and one norm per sample, so that a critic of slope 1 pays nothing at any batch size.
    """

    weight: float = 10.0
    target: float = 1.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight, target=self.target)

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each pair (real, fake), `(N,)`."""
        real, fake = seen.real.x, seen.fake.x
        epsilon = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
        norm = slope(seen.D, real + epsilon * (fake - real), seen.real.c)
        return self.weight * (norm - self.target).square()

    def refuses(self, D: nn.Module) -> str | None:
        """Batch norm in D is refused: the norm of one sample's gradient has no meaning there."""
        return sees_other_samples(D)
