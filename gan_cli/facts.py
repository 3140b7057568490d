"""What there is to tell about a step, and which update of it which fact is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Facts = dict[str, Tensor]
"""What there is to tell about a step: 0-d tensors by name, left on the device.

Those whose name begins with `_` are for nobody but who looks for a number that is not finite, and
may be `(n,)`: `_slopes/D` are the norms of the gradients of D's weights, `_sizes/D` the largest
number of each of D's tensors, `_buffers/D` of those that a forward pass moves.
"""

Bad = Mapping[str, tuple[float, ...]]
"""Facts of which some number is not finite, in the order in which they came about."""


def hidden(name: str) -> bool:
    """Whether a fact is for nobody but who looks for a number that is not finite."""
    return name.startswith("_")


def in_turn(updates: Sequence[Facts]) -> Facts:
    """What a step tells of its updates, one after the other: of each name the newest.

    An update of which a later one tells anything again is told whole besides, as `_1/loss/d` of the
    first, `_2/loss/d`, …
    """
    newest: Facts = {}
    earlier: Facts = {}
    for number, facts in enumerate(updates, 1):
        if not all(facts.keys().isdisjoint(later) for later in updates[number:]):
            earlier |= {f"_{number}/{name}": fact for name, fact in facts.items()}
        newest |= facts
    return earlier | newest


def named(facts: Facts, player: str) -> Facts:
    """Facts with the player's name behind those that every player has."""
    return {f"{k}/{player}" if k in ("loss", "grad_norm") else k: v for k, v in facts.items()}


def norms_of(tensors: Sequence[Tensor]) -> Tensor:
    """The norm of each tensor, `(n,)`."""
    return torch.stack(torch._foreach_norm(list(tensors)))


def sizes_of(tensors: Sequence[Tensor]) -> Tensor:
    """The largest absolute number of each tensor, NaN where there is one, `(n,)`."""
    if tensors[0].is_cuda:  # in one kernel, which on a CPU takes fifteen times as long
        return torch.stack(torch._foreach_norm(list(tensors), torch.inf))
    low, high = zip(*(torch.aminmax(tensor.detach()) for tensor in tensors), strict=True)
    return torch.maximum(torch.stack(high), -torch.stack(low))
