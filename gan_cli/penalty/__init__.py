"""Penalties: what D pays for being steep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from gan_cli.batch import Batch

Critic = Callable[[Tensor, Tensor | None], Tensor]
"""D as a function of samples and conditions, `(N, …), (N, …) -> (N,)`, in full precision."""


@dataclass(frozen=True)
class Seen:
    """What D has just seen, and said: D itself, both batches and its answers to them."""

    D: Critic
    real: Batch
    fake: Batch
    d_real: Tensor
    d_fake: Tensor


class Penalty(Protocol):
    """What D pays besides the game, per sample."""

    @property
    def every(self) -> int:
        """Paid every so many D updates, times that number (0: never)."""
        ...

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each sample, `(N,)`, weight included."""
        ...

    def refuses(self, D: nn.Module) -> str | None:
        """Why the penalty can't be right for this D, and what to type instead; None if it can."""
        ...


def slope(D: Critic, x: Tensor, c: Tensor | None) -> Tensor:
    """‖∇D(x)‖, the norm of D's gradient in each sample by itself, over any shape: `(N, …) -> (N,)`.

    It can be differentiated again. The gradient of the sum over the batch is the gradient of each
    sample only while D's samples do not see each other: never through batch norm.
    """
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(x, c).sum(), x, create_graph=True)
    return gradient.flatten(1).norm(dim=1)


def check_weight(every: int, **weights: float) -> None:
    """Raise ValueError for a negative weight, or an interval that is none."""
    for name, weight in weights.items():
        if weight < 0:
            raise ValueError(f"{name} can't be negative: {weight}")
    if every < 1:
        raise ValueError(f"every is a number of D updates, 1 or more, not {every}")


def sees_other_samples(D: nn.Module) -> str | None:
    """The refusal of a D with batch norm, in which a sample's output depends on its neighbours."""
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in D.modules()):
        return (
            "a penalty on D's gradient needs a critic whose samples do not see each other, "
            "and batch norm mixes them: model.d_norm=layer (or group, instance, none)"
        )
    return None
