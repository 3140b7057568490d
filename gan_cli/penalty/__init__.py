"""Penalties: what D pays besides the game, most often for being steep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from gan_cli import dist
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
    """What D pays besides the game, per sample.

    Nothing of it reaches G: the fakes are taken as they are. The mean over the batch is what D
    pays, so one that looks at D's weights alone charges every sample the same.
    """

    holds: ClassVar[bool]
    """Whether D is bounded by it, as a loss without a minimum needs."""

    @property
    def every(self) -> int:
        """Paid every so many D updates, times that number."""
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
    squared = slope_squared(D, x, c)
    flat = squared == 0  # the root has no slope there, and its gradient is taken to be 0
    return torch.where(flat, 1.0, squared).sqrt() * ~flat


def slope_squared(D: Critic, x: Tensor, c: Tensor | None) -> Tensor:
    """‖∇D(x)‖², smooth where D is flat too, `(N, …) -> (N,)`; see `slope`."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(x, c).sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1)


def each(like: Tensor) -> Tensor:
    """A number from U(0, 1) for each sample, to be multiplied with it: `(N, …) -> (N, 1, …)`."""
    ones = [1] * (like.dim() - 1)
    return dist.own(lambda n: torch.rand(n, *ones, device=like.device, dtype=like.dtype), len(like))


def between(seen: Seen) -> Tensor:
    """Places uniform on the line between each real sample and a fake one, `(N, …)`."""
    real, fake = seen.real.x, seen.fake.x
    return real + each(real) * (fake - real)


def check_weight(every: int, **weights: float) -> None:
    """Raise ValueError for a negative weight, or an interval that is none."""
    for name, weight in weights.items():
        if weight < 0:
            raise ValueError(f"{name} can't be negative: {weight}")
    if every < 1:
        raise ValueError(f"every is a number of D updates, 1 or more, not {every}")


def sees_other_samples(D: nn.Module) -> str | None:
    """The refusal of a D in which a sample's output depends on its neighbours."""
    for module in D.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            return (
                "a penalty on D's gradient needs a critic whose samples do not see each other, "
                "and batch norm mixes them: model.d_norm=layer (or group, instance, none)"
            )
        if getattr(module, "crosses_samples", False):
            return (
                "a penalty on D's gradient needs a critic whose samples do not see each other, "
                "and packing judges several at once: pack=1"
            )
    return None
