"""Everything that a step moves: where it stands, how it is put back, how far it has gone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan_cli.average import Averaging
from gan_cli.facts import Facts
from gan_cli.method.single import Single
from gan_cli.notes import host
from gan_cli.player import Player

State = dict[str, Tensor]


@dataclass(frozen=True)
class Count:
    """What the host knows of a player: its updates, its images, its rate and how it averages."""

    updates: int
    images: int
    rate: float
    averaging: Averaging | None


@dataclass(frozen=True)
class Kept:
    """A copy of all that a step moves."""

    tensors: State
    counts: list[Count]
    outputs: dict[str, Tensor]


class Held:
    """All that the steps of a method move, at addresses that stay.

    What changes from step to step by the host's doing stands on the device from here on: the rates
    of the optimisers. What a component replaces rather than changes, its memory, has a place of its
    own, to which it is brought by `steady`.
    """

    def __init__(self, method: Single, device: torch.device):
        self.method, self.device = method, device
        self.players = list(method.players.values())
        for player in self.players:
            _settle(player, device)
        self._groups = [player.optimizer.param_groups for player in self.players]
        parts: list[dict[str, Any]] = [getattr(p, "__dict__", {}) for p in method.parts.values()]
        self._said = parts + [group for groups in self._groups for group in groups]
        self._memories = [part.memory for part in method.memories.values()]
        self._places = [{k: v.to(device).clone() for k, v in m.items()} for m in self._memories]

    @property
    def moved(self) -> bool:
        """Whether a player was restored since, which gives it an optimiser of other tensors."""
        pairs = zip(self.players, self._groups, strict=True)
        return any(player.optimizer.param_groups is not groups for player, groups in pairs)

    def steady(self) -> None:
        """Bring what is remembered to its place."""
        for memory, places in zip(self._memories, self._places, strict=True):
            for key, place in places.items():
                if (now := memory[key]) is not place:
                    place.copy_(now)
                    memory[key] = place

    def apart_from_places(self, facts: Facts) -> Facts:
        """Facts that are not written over when what is remembered is brought to its place."""
        places = {place.data_ptr() for each in self._places for place in each.values()}
        return {n: f.clone() if f.data_ptr() in places else f for n, f in facts.items()}

    @property
    def numbers(self) -> tuple[object, ...]:
        """The plain numbers and words of components and optimisers as they are now."""
        values = (v for one in self._said for v in one.values() if type(v) in _PLAIN)
        return tuple(repr(value) if type(value) is tuple else value for value in values)

    def tensors(self) -> State:
        """Every tensor that a step may move, by name."""
        found: State = {}
        for name, player in self.method.players.items():
            nets = {name: player.net} | ({f"{name}_ema": player.average} if player.average else {})
            for key, net in nets.items():
                found |= {f"weights of {key}/{n}": t for n, t in net.named_parameters()}
                found |= {f"buffers of {key}/{n}": t for n, t in net.named_buffers()}
            for index, state in enumerate(player.optimizer.state.values()):
                kept = {k: t for k, t in state.items() if isinstance(t, Tensor)}
                found |= {f"{k} of {name}'s optimizer/{index}": t for k, t in kept.items()}
        for part, places in zip(self.method.memories, self._places, strict=True):
            found |= {f"{key} of {part}/": place for key, place in places.items()}
        return found

    def counted(self, play: Callable[[], Facts]) -> tuple[Facts, list[int]]:
        """What a step tells, and how many updates each player has made in it."""
        before = [player.updates for player in self.players]
        facts = play()
        return facts, [p.updates - b for p, b in zip(self.players, before, strict=True)]

    def tried(self, play: Callable[[], Facts]) -> list[int]:
        """How many updates each player makes in a step; all but random numbers is moved by it."""
        with torch.random.fork_rng([]):
            return self.counted(play)[1]

    def kept(self) -> Kept:
        """A copy of it as it is now."""
        self.steady()
        tensors = {name: tensor.detach().clone() for name, tensor in self.tensors().items()}
        counts = [Count(p.updates, p.images, p.rate, p.averaging) for p in self.players]
        return Kept(tensors, counts, self.method.outputs)

    @torch.no_grad()
    def put(self, kept: Kept) -> None:
        """All as it was then; what optimisers have made since begins at 0, as they do."""
        for memory, places in zip(self._memories, self._places, strict=True):
            memory.update(places)
        for name, tensor in self.tensors().items():
            tensor.copy_(kept.tensors.get(name, _ZERO))
        for player, count in zip(self.players, kept.counts, strict=True):
            player.updates, player.images = count.updates, count.images
            player.averaging = count.averaging
            player.go(count.rate)
        self.method.outputs = kept.outputs
        self.method.forget()

    def disturb(self) -> None:
        """Other numbers of the host's than they are: half the rates, the images, the half-lives."""
        for player in self.players:
            player.go(player.rate / 2)
            player.images //= 2
            if (now := player.averaging) is not None:
                player.averaging = dataclasses.replace(now, half_life=now.half_life / 2)


def _settle(player: Player, device: torch.device) -> None:
    """Put the rate of a player on the device, and what its optimiser counts."""
    on_cuda = device.type == "cuda"
    optimizer: Any = player.optimizer
    optimizer._warned_capturable_if_run_uncaptured = True  # the first steps are, and rightly
    for group in optimizer.param_groups:
        # torch's fused kernels read float32 on CUDA, where they take a double for a number
        exact = torch.float32 if on_cuda else torch.float64
        group["lr"] = torch.tensor(player.rate, dtype=exact, device=device)
        group["capturable"] = on_cuda
    for state in optimizer.state.values():
        state |= {k: v.to(device) for k, v in state.items() if k == _COUNT}


_COUNT = "step"
_ZERO = torch.zeros(())
_PLAIN = {int, float, bool, str, tuple, type(None)}


def _sorts(state: State) -> Iterator[tuple[str, list[str]]]:
    """The names of tensors of one sort: a network's weights, an optimiser's moments, a memory."""
    sorts: dict[str, list[str]] = {}
    for name in state:
        sorts.setdefault(name.partition("/")[0], []).append(name)
    yield from sorts.items()


def apart(before: State, one: State, other: State) -> dict[str, float]:
    """How far two ends are from each other, in parts of the way to the first, for each sort.

    What is no floating number has to be the same, or is infinitely far.
    """
    names, ratios = [], []
    for sort, members in _sorts(before):
        floats = [n for n in members if before[n].is_floating_point()]
        rest = [n for n in members if not before[n].is_floating_point()]
        if floats:
            names.append(sort)
            far = _length([other[n] - one[n] for n in floats])
            ratios.append(far / _length([one[n] - before[n] for n in floats]))
            ratios[-1] = torch.where(far == 0, torch.zeros_like(far), ratios[-1])
        if rest:
            names.append(sort)
            same = torch.stack([(one[n] == other[n]).all() for n in rest]).all()
            ratios.append(torch.where(same, 0.0, torch.inf))
    worst: dict[str, float] = {}
    for name, ratio in zip(
        names, host(torch.stack(ratios)).tolist() if ratios else [], strict=True
    ):
        worst[name] = ratio if ratio != ratio else max(ratio, worst.get(name, 0.0))
    return worst


def _length(tensors: list[Tensor]) -> Tensor:
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)).float())
