"""Gaussians on a ring."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from gan_cli.dataset.source import Endless


@dataclass(frozen=True)
class Ring:
    """Equal Gaussians in the plane, their means evenly spaced on a circle around 0.

    Eight of them with radius 1 and standard deviation 0.01 are the ring of PacGAN (Lin et al. 2018,
    arXiv 1712.04086) and of VEEGAN (Srivastava et al. 2017, arXiv 1705.07761). The density is
    known exactly.
    """

    modes: int = 8
    radius: float = 1.0
    std: float = 0.01

    def __post_init__(self) -> None:
        if self.modes < 1:
            raise ValueError(f"modes must be 1 or more, not {self.modes}")
        for name, value in (("radius", self.radius), ("std", self.std)):
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be positive, not {value}")

    def load(self) -> Endless:
        """Endless points `(N, 2)`, without labels."""
        return Endless(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """(2,)."""
        return (2,)

    @cached_property
    def means(self) -> Tensor:
        """The centres, `(modes, 2)`."""
        angle = torch.arange(self.modes) * (2 * math.pi / self.modes)
        return self.radius * torch.stack([angle.cos(), angle.sin()], 1)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points `(n, 2)` on the CPU, drawn with that generator alone."""
        mode = torch.randint(self.modes, (n,), generator=generator)
        return self.means[mode] + self.std * torch.randn(n, 2, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density, `(N, 2) -> (N,)`."""
        means = self.means.to(x)
        return MixtureSameFamily(
            Categorical(logits=means.new_zeros(self.modes)),
            Independent(Normal(means, self.std), 1),
        ).log_prob(x)
