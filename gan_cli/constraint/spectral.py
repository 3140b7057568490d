"""Spectral normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_cli.constraint import NORMS, weighted, zero


@dataclass(frozen=True)
class Spectral:
    """Every weight of D is divided by its largest singular value, so each layer is 1-Lipschitz.

    Miyato et al. 2018, arXiv 1802.05957, equation 8, by power iteration (Algorithm 1: one
    iteration a forward pass). A convolution's kernel is taken as a matrix, as in the paper, which
    bounds its slope only up to a constant of the kernel's size.

    Needs: a D without any normalisation. Made for loss=hinge; goes with every loss.
    Trouble: a deep D of leaky ReLUs ends up far flatter than 1, and learns slowly: a higher
    optimizer.lr, or a gradient penalty instead (penalty=gp constraint=free).
    """

    holds: ClassVar[bool] = True

    iterations: int = 1
    eps: float = 1e-12

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError(f"iterations must be 1 or more, not {self.iterations}")

    def wrap(self, D: nn.Module) -> nn.Module:
        """D with each weight of two or more dimensions normalised."""
        for module in weighted(D):
            spectral_norm(module, n_power_iterations=self.iterations, eps=self.eps)
        return D

    def project(self, D: nn.Module) -> None:
        """Nothing to do: D can't leave the set."""

    def refuses(self, D: nn.Module) -> str | None:
        """A normalisation in D scales each layer up again, and a layer of zeros has no norm."""
        if any(isinstance(module, NORMS) for module in D.modules()):
            return (
                "spectral norm bounds D's slope, and a normalisation scales it up again: "
                "model.d_norm=none"
            )
        if any(getattr(module, "scales_weights", False) for module in D.modules()):
            return (
                "D scales its weights by itself, which leaves them no norm of 1: "
                "constraint=free penalty=r1"
            )
        return zero(D)
