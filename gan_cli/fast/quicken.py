"""Players that compute as was picked."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext

import torch

from gan_cli.fast import processor
from gan_cli.fast.compiling import compiled
from gan_cli.fast.speed import Speed
from gan_cli.player import Player, Precision


def precision(speed: Speed, device: torch.device) -> Precision:
    """Makes the context in which the networks compute."""
    if speed.dtype is torch.float32:
        return nullcontext
    return functools.partial(torch.autocast, device.type, dtype=speed.dtype)


def quicken(players: Iterable[Player], speed: Speed, device: torch.device) -> None:
    """Have players compute so. They must not have learnt yet: what optimisers keep of a weight is
    laid out as the weight is."""
    for player in players:
        player.precision = precision(speed, device)
        if speed.channels_last:
            for net in (player.net, player.average):
                if net is not None:
                    net.to(memory_format=torch.channels_last)
        if speed.compile and device.type != "cpu":  # where steps are compiled as a whole
            player.compiled = compiled(player.net)


@contextmanager
def computing(speed: Speed) -> Iterator[None]:
    """The process computes so, for as long as it lasts: its threads, and who multiplies.

    For steps of training, and for samples: what else is measured, or taught to a judge, has the
    bits that it has in a command of its own.
    """
    threads, routed = torch.get_num_threads(), processor.products_routed()
    torch.set_num_threads(speed.threads)
    processor.route_products(speed.onednn)
    try:
        yield
    finally:
        processor.route_products(routed)
        torch.set_num_threads(threads)
