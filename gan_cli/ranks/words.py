"""What ranks tell each other besides: decisions, answers, samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as together
from torch import Tensor

from gan_cli.errors import GanError, UserMistake
from gan_cli.ranks.meeting import group, local, rank, size, talking

T = TypeVar("T")


def use(device: torch.device) -> None:
    """Average gradients where they are: through NCCL on CUDA, else through gloo.

    Raises UserMistake where the ranks compute on devices of different kinds.
    """
    here = group()
    if here is None:
        return
    kinds = sorted(set(gathered(device.type)))
    if len(kinds) > 1:
        raise UserMistake(f"the ranks compute on {' and '.join(kinds)}: hardware.device=cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        here.data = together.new_group(backend="nccl")


def agreed(signum: int | None) -> int | None:
    """The signal that any of the ranks has noted, by the same step on all."""
    if group() is None:
        return signum
    number = torch.tensor(signum or 0)
    with talking():
        together.all_reduce(number, together.ReduceOp.MAX)
    return int(number) or None


def told(value: T) -> T:
    """What rank 0 says, whatever the others would."""
    if group() is None:
        return value
    box = [value]
    with talking():
        together.broadcast_object_list(box)
    return box[0]


def gathered(value: T) -> list[T]:
    """What each rank says, in their order."""
    if group() is None:
        return [value]
    box: list[Any] = [None] * size()
    with talking():
        together.all_gather_object(box, value)
    return box


def collected(value: T) -> list[T]:
    """On rank 0 what each rank says, in their order; elsewhere nothing."""
    if group() is None:
        return [value]
    box: list[Any] | None = None if rank() else [None] * size()
    with talking():
        together.gather_object(value, box)
    return box or []


@contextmanager
def in_turn() -> Iterator[None]:
    """On each machine the first rank goes first: what it downloads and keeps, the others find."""
    if local():
        gathered(None)
    yield
    if not local():
        gathered(None)


def check_alike(tensors: Mapping[str, Tensor], step: int) -> None:
    """Raise GanError unless these tensors hold the same bits on all ranks."""
    if group() is None:
        return
    digests = gathered({name: digest(tensor) for name, tensor in tensors.items()})
    for name in digests[0]:
        if any(one.get(name) != digests[0][name] for one in digests):
            raise GanError(
                f"step {step}: {name} is not the same on all ranks, and nothing was saved; a "
                "component that draws or sums over its batch by itself does that"
            )


def digest(tensor: Tensor) -> str:
    """A hash of the tensor's bits."""
    plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return hashlib.blake2b(plain.numpy().data, digest_size=16).hexdigest()
