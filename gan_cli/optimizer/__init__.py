"""Optimisers: how a player turns its gradient into a step."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Optimizer(Protocol):
    """A recipe that makes an optimiser for one player's weights."""

    @property
    def lr(self) -> float:
        """Learning rate of every player."""
        ...

    @property
    def d_lr(self) -> float | None:
        """D's own learning rate; None: the same."""
        ...

    def make(self, weights: list[Tensor], lr: float) -> torch.optim.Optimizer:
        """An optimiser of these weights at this rate."""
        ...


def check_rates(lr: float, d_lr: float | None) -> None:
    """Raise ValueError unless both rates are positive."""
    if lr <= 0:
        raise ValueError(f"lr must be positive, not {lr}")
    if d_lr is not None and d_lr <= 0:
        raise ValueError(f"d_lr must be positive, or null for the same as lr, not {d_lr}")


def check_betas(betas: tuple[float, ...]) -> None:
    """Raise ValueError unless these are two decay rates in [0, 1)."""
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas are two numbers in [0, 1), not {list(betas)}")


def check_decay(weight_decay: float) -> None:
    """Raise ValueError for a negative weight decay."""
    if weight_decay < 0:
        raise ValueError(f"weight_decay can't be negative: {weight_decay}")
