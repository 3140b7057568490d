"""A guard of the players: an update whose numbers are none is not made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli import dist
from gan_cli.facts import Bad, Facts, named, norms_of, sizes_of
from gan_cli.memory import Remembers
from gan_cli.player import Player
from gan_cli.policy import Policy, Skips


@dataclass(frozen=True)
class Skip:
    """An update of these players that was not made, and what was not finite of it."""

    players: tuple[str, ...]
    bad: Bad


class NotMade(Exception):
    """An update is not to be made, for what is not finite of it."""

    def __init__(self, bad: Bad):
        super().__init__(", ".join(bad))
        self.bad = bad


class Guard:
    """Looks at each update before it is made, and puts back what it has moved if it is not.

    Finite have to be what was told of it, the norm of the gradient of each weight, and the buffers
    of all players, which a forward pass moves. Who asks waits for the device, once per update. Of
    several ranks all find the same. `news` are the updates that were not made, until somebody takes
    them, and `last` what was said of the last one.
    """

    def __init__(self, players: Mapping[str, Player], memories: Mapping[str, Remembers]):
        self.players, self.memories = players, memories
        self.news: list[Skip] = []
        self.last = ""
        for player in players.values():
            player.check = self.check

    def check(
        self, players: Sequence[Player], slopes: Sequence[Sequence[Tensor]], facts: Facts
    ) -> None:
        """Raise NotMade unless all of it is finite."""
        own = named(facts, players[0].name.lower()) if len(players) == 1 else facts
        told = {name: value.detach() for name, value in own.items()}
        told |= {f"_slopes/{p.name}": norms_of(s) for p, s in zip(players, slopes, strict=True)}
        for name, player in self.players.items():
            if moved := [b for b in player.net.buffers() if b.is_floating_point() and b.numel()]:
                told[f"_buffers/{name}"] = sizes_of(moved)
        (values,) = dist.mean([torch.hstack(list(told.values()))])
        if values.isfinite().all():  # here it waits
            return
        parts = values.split([value.numel() for value in told.values()])
        bad = {n: v for n, v in zip(told, parts, strict=True) if not v.isfinite().all()}
        raise NotMade({name: tuple(value.tolist()) for name, value in bad.items()})

    def turn(
        self, play: Callable[[], Facts], players: Sequence[Player], forget: Callable[[], None]
    ) -> Facts:
        """What an update of these players tells; nothing where it was not made, and is counted."""
        buffers = [buffer.clone() for buffer in self._buffers()]
        held = {n: {k: v.clone() for k, v in m.memory.items()} for n, m in self.memories.items()}
        try:
            facts = play()
        except NotMade as error:
            for mine, before in zip(self._buffers(), buffers, strict=True):
                mine.copy_(before)
            for name, memory in held.items():
                self.memories[name].memory.update(memory)
            forget()
            for player in players:
                player.skipped = player.skipped[0] + 1, player.skipped[1] + 1
            self.news.append(Skip(tuple(player.name for player in players), error.bad))
            return {}
        for player in players:
            player.skipped = player.skipped[0], 0
        return facts

    @property
    def about(self) -> str:
        """How many updates were skipped, in words; '' for none."""
        players = self.players.items()
        told = [f"{p.skipped[0]} of {n}" for n, p in players if p.skipped[0]]
        return f"updates that were not made: {', '.join(told)} (policy=skip)" if told else ""

    def _buffers(self) -> Iterator[Tensor]:
        nets: list[nn.Module] = [player.net for player in self.players.values()]
        return (buffer for net in nets for buffer in net.buffers())


def overdone(players: Mapping[str, Player], policy: Policy) -> str:
    """Of which player more updates were skipped than the policy endures, in words; '' of none."""
    if isinstance(policy, Skips):
        for name, player in players.items():
            (every, row), made = player.skipped, player.updates
            if not policy.endures(every, row, made):
                whole = every + made
                return f"{every} of {whole} updates of {name} were not finite, {row} in a row"
    return ""
