"""A step as it was recorded, and the trial that it has to pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.facts import Facts, hidden
from gan_cli.fast.held import Held, Kept, State, apart
from gan_cli.fast.recorder import Recorder, Studio
from gan_cli.player import Player
from gan_cli.randomness import reseed

Step = Callable[[Sequence[Batch]], Facts]
"""Everyone learns once from these batches."""

TURNS = 2
"""Steps in which a recording is tried: the second goes on from what the first has moved."""

NEAR = 0.1
"""How far a recorded step may end from an eager one, in parts of the way of that. Kernels that add
up in any order are apart by millionths, in bfloat16 by hundredths at most; what was frozen while it
should have changed is off by a half or more, for the trial halves whatever the host may change."""


@dataclass(frozen=True)
class Moves:
    """The updates of a player in a step, of so many images each.

    `shares` are the tensors in which the share of the network in its average stands.
    """

    player: Player
    updates: int
    images: int
    shares: list[Tensor]

    def announce(self) -> None:
        """Write what the host knows of these updates, and count them."""
        player = self.player
        for share in self.shares:
            player.images += self.images
            share.fill_(player.share(self.images, player.images))
        player.images += self.images * (self.updates - len(self.shares))
        player.updates += self.updates


class Recorded:
    """A step that was recorded: from batches of the same shape it gives the same facts."""

    def __init__(
        self,
        recorder: Recorder,
        held: Held,
        kept: Kept,
        step: Step,
        given: Sequence[Batch],
        updates: Sequence[int],
    ):
        """Record it, in which each player makes so many updates; `kept` is how all is before.

        RuntimeError where it can't be recorded; who asks puts back what the host counts.
        """
        self._recorder, self._held = recorder, held
        self._inputs = [_like(batch) for batch in given]
        before = held.tensors()
        slots = {
            player: [torch.zeros((), device=held.device) for _ in range(many)]
            for player, many in zip(held.players, updates, strict=True)
        }
        with _late(slots):
            self._facts, said = recorder.record(partial(self._play, step))
        self.moves = [
            _moves(player, count.updates, count.images, slots[player])
            for player, count in zip(held.players, kept.counts, strict=True)
        ]
        self._outputs = None if said is kept.outputs else said
        after = held.tensors()
        self._replaced = next((name for name in after if before.get(name) is not after[name]), "")

    def __call__(self, batches: Sequence[Batch]) -> Facts:
        """Let everyone learn once; what is told is written over by the next step."""
        for mine, given in zip(self._inputs, batches, strict=True):
            mine.x.copy_(given.x)
            if mine.c is not None and given.c is not None:
                mine.c.copy_(given.c)
        self._held.steady()
        for moves in self.moves:
            moves.announce()
        self._recorder.replay()
        if self._outputs is not None:
            self._held.method.outputs = self._outputs
        return dict(self._facts)

    def off(self, studio: Studio, kept: Kept, step: Step, given: Sequence[Batch]) -> list[str]:
        """What of it ends elsewhere than with an eager step, from that same state.

        Both go under other numbers than it was recorded with: seed, rates, images, half-lives, and
        in the second turn other samples. The state is left anywhere.
        """
        if self._replaced:
            return [self._replaced]
        held, ends = self._held, []
        for one in (lambda batches: studio.aside(partial(step, batches)), self):
            held.put(kept)
            held.disturb()
            with torch.random.fork_rng([held.device] if held.device.type == "cuda" else []):
                reseed("trial")
                ends.append(_end(held, one, given))
        start = {n: kept.tensors.get(n, torch.zeros_like(end)) for n, end in ends[0].items()}
        return [name for name, ratio in apart(start, *ends).items() if not ratio <= NEAR]

    def _play(self, step: Step) -> tuple[Facts, State]:
        facts = self._held.apart_from_places(step(self._inputs))
        self._held.steady()
        return facts, self._held.method.outputs


def _end(held: Held, step: Step, given: Sequence[Batch]) -> State:
    """Where some steps end, and what they tell."""
    decided = [player.updates for player in held.players]
    told: Facts = {}
    for turn in range(TURNS):
        told = step([replace(batch, x=batch.x * (-1) ** turn) for batch in given])
        for player, updates in zip(held.players, decided, strict=True):
            player.updates = updates  # or other penalties would be due
    facts = {f"facts/{n}": f.detach().clone() for n, f in told.items() if not hidden(n)}
    outputs = {f"outputs/{n}": out.clone() for n, out in held.method.outputs.items()}
    return held.kept().tensors | facts | outputs


def _moves(player: Player, updates: int, images: int, shares: list[Tensor]) -> Moves:
    """What the host has counted since then."""
    made, seen = player.updates - updates, player.images - images
    return Moves(player, made, seen // made if made else 0, shares if player.average else [])


@contextmanager
def _late(slots: dict[Player, list[Tensor]]) -> Iterator[None]:
    """While a step is recorded, the share of the average is read where it will stand."""
    try:
        for player, shares in slots.items():
            player.late = partial(next, iter(shares))
        yield
    finally:
        for player in slots:
            player.late = None


def _like(batch: Batch) -> Batch:
    """A place for batches of that shape."""
    c, z = (None if t is None else t.clone() for t in (batch.c, batch.z))
    return Batch(batch.x.clone(), c, z)
