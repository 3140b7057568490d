"""How much there is to compute: the operations of the networks, counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gan_cli.errors import UserMistake
from gan_cli.fast.calls import Calls
from gan_cli.model import Generator
from gan_cli.space import Space

SAMPLES = 2
"""Samples that are counted together: some networks look from one to the next."""


@dataclass(frozen=True)
class Work:
    """Floating-point operations of all networks forward, for one sample.

    A multiplication and an addition are two. convolutions: those of convolutions. others: those of
    products of matrices. grouped: those of convolutions whose channels are in groups. planes:
    numbers that are worked on plane by plane, for which channels that come last are in the way:
    those of group norm, and of feature maps that are joined.
    """

    convolutions: int
    others: int
    grouped: int = 0
    planes: int = 0

    @property
    def all(self) -> int:
        """Convolutions and products."""
        return self.convolutions + self.others


def work_of(nets: Iterable[nn.Module], space: Space, pack: int = 1) -> Work | None:
    """What one sample takes; None where a network can't be asked, or there is none.

    Each is run once on a few zeros, in evaluation mode and with copies of its buffers: neither the
    networks nor the random numbers to come are any other afterwards.
    """
    n = SAMPLES * pack
    found = [_of(net, space, n) for net in nets]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        return None
    return Work(**{name: sum(one[name] for one in known) // n for name in known[0]})


def _of(net: nn.Module, space: Space, n: int) -> dict[str, int] | None:
    """The operations of a network on so many samples."""
    back = Space(space.given or space.shape, space.classes, space.shape if space.given else None)
    for one in (space, back):  # a network of a way back makes what is given
        try:
            return _counted(net, one, n)
        except (RuntimeError, ValueError, TypeError, IndexError, UserMistake):
            continue
    return None


def _counted(net: nn.Module, space: Space, n: int) -> dict[str, int]:
    weight = next(net.parameters())
    z_dim = net.z_dim if isinstance(net, Generator) else None
    x = weight.new_zeros(n, *(space.shape if z_dim is None else (z_dim,)))
    copies = {name: weight.detach() for name, weight in net.named_parameters()}
    copies |= {name: buffer.clone() for name, buffer in net.named_buffers()}
    learning = [module for module in net.modules() if module.training]
    cards = [weight.device] if weight.device.type == "cuda" else []
    counter = _Counter()
    net.eval()
    try:
        with torch.random.fork_rng(cards), torch.no_grad(), counter:
            functional_call(net, copies, (x, _condition(space, x)))
    finally:
        for module in learning:
            module.training = True
    return counter.counts


def _condition(space: Space, like: Tensor) -> Tensor | None:
    """As many conditions, of zeros."""
    if space.given is not None:
        return like.new_zeros(len(like), *space.given)
    if not space.classes:
        return None
    return like.new_zeros(len(like), dtype=torch.int64)


class _Counter(Calls):
    """Counts the operations of what is called within it, as torch's FlopCounterMode does, which
    takes a tenth of a second to import."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = dict.fromkeys(("convolutions", "others", "grouped", "planes"), 0)

    def call(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What it gives; counted."""
        made = super().call(func, args, kwargs)
        name = func._overloadpacket
        if name is torch.ops.aten.convolution:
            flops = _convolution(args, made)
            self.counts["convolutions"] += flops
            self.counts["grouped"] += flops if args[8] > 1 else 0
        elif name in _PRODUCTS:
            a, b = args[_PRODUCTS[name] :][:2]
            self.counts["others"] += 2 * a.numel() * b.shape[-1]
        elif _by_planes(name, args):
            self.counts["planes"] += (made[0] if isinstance(made, tuple) else made).numel()
        return made


def _by_planes(name: Any, args: tuple[Any, ...]) -> bool:
    """Whether it normalises channels in groups, or joins maps of several channels each."""
    if name is torch.ops.aten.native_group_norm:
        return bool(args[6] > 1)
    return name is torch.ops.aten.cat and all(x.dim() == 4 and x.shape[1] > FEW for x in args[0])


FEW = 4
"""Channels of an image, at most: more are features."""


def _convolution(args: tuple[Any, ...], made: Tensor) -> int:
    """Each weight meets each place of the output, of a transposed one each of the input."""
    x, weight, transposed = args[0], args[1], args[6]
    places = x if transposed else made
    return int(2 * weight.numel() * len(x) * places[0, 0].numel())


_ATEN = torch.ops.aten
_PRODUCTS = {_ATEN.mm: 0, _ATEN.bmm: 0, _ATEN.addmm: 1, _ATEN.baddbmm: 1}
"""Products of matrices, and which argument the first of them is."""
