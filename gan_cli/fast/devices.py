"""Which device computes."""

from __future__ import annotations

import torch

from gan_cli import dist
from gan_cli.errors import UserMistake

DEVICES = ("auto", "cpu", "cuda", "mps")
"""What a device can be called; of several of a kind one is cuda:N."""


def pick_device(name: str) -> torch.device:
    """The device of that name, `auto` for the fastest kind; UserMistake if it isn't there."""
    here = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    kind, _, index = name.partition(":")
    if kind not in DEVICES:
        raise UserMistake(f"device is one of {', '.join(DEVICES)}, not {name}")
    if not here.get(kind, True):
        raise UserMistake(f"there is no {kind} device here: use cpu, or auto for what there is")
    count = torch.cuda.device_count() if here["cuda"] else 0
    if index and (kind != "cuda" or not index.isdigit() or int(index) >= count):
        raise UserMistake(f"there is no device {name} here: {count} CUDA devices")
    if kind not in here:
        return torch.device(next(kind for kind in here if here[kind]))
    return torch.device(name)


def ranks_device(name: str) -> torch.device:
    """That of this rank, one for each on its machine where they are CUDA devices.

    UserMistake where there are too few, or one is named for all.
    """
    device = pick_device(name)
    if device.type != "cuda" or dist.size() == 1:
        return device
    if name.partition(":")[2]:
        raise UserMistake(
            f"each rank has a device of its own, so not {device}: hardware.device=cuda"
        )
    count = torch.cuda.device_count()
    if dist.local() >= count:
        raise UserMistake(
            f"rank {dist.rank()} is number {dist.local() + 1} of its machine, which has {count} "
            "CUDA devices: no more ranks than devices, or hardware.device=cpu"
        )
    return torch.device("cuda", dist.local())
