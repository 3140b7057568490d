"""Fewer odd samples for less variety: codes, or what they are mapped to, nearer to the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.errors import UserMistake
from gan_cli.prior import Prior, reflected
from gan_cli.prior.normal import Normal
from gan_cli.prior.truncated import Truncated
from gan_cli.sampler import Sampler


@dataclass(frozen=True)
class Squeezed:
    """Codes of a normal prior, given that no number is beyond ±bound std, each moved there.

    The truncation trick of Brock et al. 2018, arXiv 1809.11096, section 3.1, which draws a number
    again that is too large. Here the distribution function takes each number to its place in the
    truncated law: the law is the same, and a code of another bound is the same sample, nearer to
    the middle. At 0 all codes are 0.
    """

    bound: float
    std: float = 1.0

    def __call__(
        self,
        n: int,
        dim: int,
        device: torch.device | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Codes `(n, dim)`."""
        g = torch.randn(n, dim, device=device, generator=generator).double()
        share = math.erf(self.bound / math.sqrt(2))
        z = math.sqrt(2) * (share * (g / math.sqrt(2)).erf()).erfinv()
        return (self.std * z.clamp(-self.bound, self.bound)).float()

    def energy(self, z: Tensor) -> Tensor:
        """‖z‖² / 2 std², `(N, dim) -> (N,)`."""
        return z.square().sum(1) / (2 * self.std**2)

    def fold(self, z: Tensor) -> Tensor:
        """Reflected at the bounds."""
        return reflected(z, self.bound * self.std) if self.bound else 0 * z

    def refuses(self, dim: int) -> str | None:
        """Nothing is refused."""
        return None


def truncated(sampler: Sampler, psi: float) -> Sampler:
    """The sampler with samples nearer to the average one.

    Of a generator that maps its codes, psi is that of Karras et al. 2018 (arXiv 1812.04948,
    appendix B), 0 to 1; of any other with a normal prior, the bound on each number of z of Brock
    et al. 2018 (arXiv 1809.11096), in standard deviations. UserMistake where neither is.
    """
    if hasattr(sampler.generator, "psi"):
        if psi > 1:
            raise UserMistake(f"truncation {psi:g}: this generator's psi goes from 0 to 1")
        sampler.truncate(psi)
        return sampler
    return Sampler(
        sampler.generator,
        sampler.space,
        _squeezed(sampler.prior, psi),
        sampler.task,
        sampler.data,
        sampler.origin,
    )


def _squeezed(prior: Prior, bound: float) -> Prior:
    if isinstance(prior, Normal):
        return Squeezed(bound, prior.std)
    if isinstance(prior, Truncated) and bound > 0:
        return Truncated(min(bound, prior.bound))
    raise UserMistake(
        "truncation is for generators that map their codes (model=stylegan2) or whose codes are "
        f"normal (prior=normal); those of this one are {type(prior).__name__}"
    )
