"""What a component remembers from step to step, and how it comes back from a checkpoint."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Remembers(Protocol):
    """A component with a state of its own: a running mean, a balance."""

    memory: dict[str, Tensor]
    """Small tensors by name, in every checkpoint; those without a `_` in front are told too."""

    def remember(self, d_real: Tensor, d_fake: Tensor) -> None:
        """Take in D's outputs on a batch, `(N,), (N,)`, once after each of D's updates."""
        ...


def recall(name: str, component: Remembers, tensors: dict[str, Tensor]) -> None:
    """Put a component's memory back, from tensors named `name/key`.

    Raises KeyError when one is missing, RuntimeError when one is not as it must be.
    """
    for key, mine in component.memory.items():
        kept = tensors[f"{name}/{key}"]
        check(f"{name}/{key}", kept, mine)
        component.memory[key] = kept.to(mine.device)


def check(name: str, tensor: Tensor, like: Tensor) -> None:
    """Raise RuntimeError unless a tensor has the shape and type it must have."""
    if tensor.shape != like.shape or tensor.dtype != like.dtype:
        raise RuntimeError(
            f"{name} is {tensor.dtype} {tuple(tensor.shape)}, not {like.dtype} {tuple(like.shape)}"
        )


def scalar(value: float) -> Tensor:
    """A number to remember."""
    return torch.tensor(float(value))
