"""Priors: the distributions that latent codes are drawn from."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class Prior(Protocol):
    """A distribution of latent codes of any dimension."""

    def __call__(
        self,
        n: int,
        dim: int,
        device: torch.device | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Codes `(n, dim)`, float32; by the device's global generator unless one is given.

        A row is a function of the generator's state alone, in a batch of a given size.
        """
        ...

    def refuses(self, dim: int) -> str | None:
        """Why codes of this dimension can't be drawn, and what to type instead; None if fine."""
        ...


@runtime_checkable
class Dense(Protocol):
    """A prior whose density is known, so that codes can be moved without leaving it."""

    def energy(self, z: Tensor) -> Tensor:
        """-log p(z) up to a constant, smooth where p isn't 0, `(N, dim) -> (N,)`.

        Of one-hot parts, which are not to be moved, nothing is said: they are all as likely.
        """
        ...

    def fold(self, z: Tensor) -> Tensor:
        """Codes that were moved to where p is 0, reflected at the border, `(N, dim)` of both."""
        ...


def reflected(z: Tensor, bound: float) -> Tensor:
    """Numbers beyond ±bound reflected there, as often as it takes, `(…) -> (…)`."""
    wave = bound - ((z + bound).remainder(4 * bound) - 2 * bound).abs()
    return torch.where(z.abs() <= bound, z, wave)


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless the value is a positive number."""
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a positive number, not {value}")
