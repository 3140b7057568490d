"""Priors: the distributions that latent codes are drawn from."""

from __future__ import annotations

from typing import Protocol

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


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless the value is a positive number."""
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a positive number, not {value}")
