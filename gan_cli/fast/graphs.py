"""Whole steps at once: one launch in place of hundreds, and the numbers of an eager step.

A small network keeps a GPU waiting for Python. A graph is a step's kernels with their addresses,
launched at once; whatever Python decided in the step is decided for good. So there is a graph for
each set of decisions (which penalties are due, who moves) and of numbers of components, and what
changes at every step (rates, the share of the average) stands on the device, written before each
launch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch.nn.utils.parametrizations import _Orthogonal

from gan_cli import dist
from gan_cli.anneal import Anneal, leaves
from gan_cli.batch import Batch
from gan_cli.errors import UserMistake
from gan_cli.facts import Facts
from gan_cli.fast.held import Held
from gan_cli.fast.inductor import Inductor
from gan_cli.fast.recorded import Recorded, Step
from gan_cli.fast.recorder import CUDA, Studio
from gan_cli.fast.speed import Speed
from gan_cli.method import Method
from gan_cli.method.gan import GAN
from gan_cli.method.single import Single
from gan_cli.method.two_games import TwoGames

Play = Callable[..., Facts]
"""A step: everyone learns once from these batches; `play(batches, step)`, counted from 0."""

WARM_UP = 3
"""Steps of a kind before it is recorded, where libraries make their plans at first."""

MOST = 16
"""Kinds of steps that are recorded; others are played as they are."""

SEEN = 256
"""Kinds of steps that are counted before counting begins anew."""

ON_DEVICE = ("optimizer.lr", "optimizer.d_lr", "ema.half_life")
"""Numbers that may glide through a run without being part of a recording."""

OPTIMIZERS = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop)
"""Those of torch, which can count and read their rate on the device."""

WAITS: dict[type, str] = {
    _Orthogonal: "an orthogonal layer asks the device whether its matrix could be inverted",
}
"""Layers in whose forward pass the host waits for the device, and for what."""


def refused(method: Method, anneal: Anneal) -> str | None:
    """Why the steps of this method can't be recorded; None if they can."""
    if dist.size() > 1:
        return "several ranks wait for each other in a step"
    if not (isinstance(method, Single) and method.players):
        return "this method does not descend by gradients alone"
    if method.guard is not None:
        return "policy=skip looks at each update before it is made"
    glides = changing(anneal)
    if glides and anneal.over == 1:  # else all is settled after that share of the run
        return f"{glides} changes from step to step"
    players = method.players.values()
    if not all(isinstance(player.optimizer, OPTIMIZERS) for player in players):
        return "this optimizer counts its steps on the host"
    modules = (module for player in players for module in player.net.modules())
    return next((WAITS[type(module)] for module in modules if type(module) in WAITS), None)


def changing(anneal: Anneal) -> str:
    """The numbers that glide through a run and would be part of a recording, if any do."""
    return ", ".join(key for key, _ in leaves(anneal.to) if key not in ON_DEVICE)


def recordable(speed: Speed, asked: bool, method: Method, anneal: Anneal) -> Speed:
    """The speed, without graphs where the steps of this method can't be recorded.

    UserMistake where graphs are asked for all the same.
    """
    if not speed.cuda_graphs or (reason := refused(method, anneal)) is None:
        return speed
    return _without(CUDA.key, asked, reason, replace(speed, cuda_graphs=False))


def compilable(speed: Speed, asked: bool, method: Method, anneal: Anneal) -> Speed:
    """The speed, without compiled steps where those of this method can't be compiled.

    UserMistake where they are asked for all the same.
    """
    glides = changing(anneal)  # each value would be a step of its own, and take seconds
    reason = f"{glides} changes in the run" if glides else refused(method, anneal)
    if not speed.compile or reason is None:
        return speed
    return _without(Inductor.key, asked, reason, replace(speed, compile=False))


def _without(key: str, asked: bool, reason: str, speed: Speed) -> Speed:
    if asked:
        raise UserMistake(f"hardware.{key}=true: {reason}: hardware.{key}=auto")
    return replace(speed, why={**speed.why, key: reason})


class Graphs:
    """The steps of one method, played as they are at first, and launched as graphs from then on.

    Before a graph is used, it is tried: from the same state, under another seed, other rates and
    images than it was recorded with, it has to end where eager steps end. Where it does not, or
    can't be recorded, all steps are played as they are, and `tell` is told why, once. None of this
    trains: the run is the same, to the bit where kernels are.
    """

    @classmethod
    def of(cls, speed: Speed, method: Method, device: torch.device) -> Graphs | None:
        """Those of a run of such speed, None where it is to have none."""
        compiled = speed.compile and device.type == "cpu"  # on CUDA networks are, not steps
        if not (speed.cuda_graphs or compiled) or not isinstance(method, Single):
            return None
        return cls(method, device, Inductor() if compiled else None)

    def __init__(self, method: Single, device: torch.device, studio: Studio | None = None):
        self.method, self.device = method, device
        self.studio = studio or CUDA(device)
        self.tell: Callable[[str], None] = lambda text: None
        self.about = ""
        self._held: Held | None = None
        self._steps: dict[Hashable, Recorded] = {}
        self._seen: Counter[Hashable] = Counter()
        self._moved: dict[Hashable, list[int]] = {}

    def step(self, play: Play, batches: Iterable[Batch], step: int) -> Facts:
        """Let everyone learn once, as `play` would."""
        if self.about:
            return play(batches, step)
        given = list(batches)
        held = self._found()
        kind = decisions(self.method, step), held.numbers, tuple(map(_shape, given))
        recorded = self._steps.get(kind) or self._made(kind, partial(play, step=step), given)
        if recorded is not None:
            return recorded(given)
        if len(self._seen) > SEEN:  # of a number that changes at each step there is no second one
            self._seen.clear()
            self._moved.clear()
        facts, self._moved[kind] = self.studio.aside(
            partial(held.counted, partial(play, given, step))
        )
        self._seen[kind] += 1
        return facts

    def _found(self) -> Held:
        """What the steps move; all begins anew where it stands elsewhere since."""
        if self._held is None or self._held.moved:
            self._steps.clear()
            self._seen.clear()
            self._held = Held(self.method, self.device)
        return self._held

    def _made(self, kind: Hashable, step: Step, given: Sequence[Batch]) -> Recorded | None:
        """A recording of this step that was tried; None where there is none."""
        held = self._found()
        cold = self.studio.settles and self._seen[kind] < WARM_UP
        if cold or len(self._steps) == MOST:
            return None
        kept = held.kept()
        try:
            if kind not in self._moved:
                self._moved[kind] = held.tried(partial(step, given))
                held.put(kept)
                kept = held.kept()  # with what optimisers have made for it
            recorded = Recorded(self.studio.recorder(), held, kept, step, given, self._moved[kind])
            wrong = recorded.off(self.studio, kept, step, given)
            why = f"a recorded step ends elsewhere ({', '.join(wrong)})" if wrong else ""
        except (RuntimeError, AssertionError) as error:  # torch has both for what it can't do
            first = error.__context__ or error  # how a recording ends comes after what ended it
            why = f"a step can't be recorded ({str(first).partition(chr(10))[0]})"
        finally:
            held.put(kept)
            self.studio.tidy()
        if not why:
            self._steps[kind] = recorded
            return recorded
        self.about = f"{self.studio.key}: {why}; operations are launched one by one"
        self._steps.clear()
        self.tell(self.about)
        return None


def decisions(method: Single, step: int) -> Hashable:
    """What Python decides in a step of this method: who moves, and what is due in each update."""
    if isinstance(method, TwoGames):
        return decisions(method.forth, step), decisions(method.back, step)
    if not isinstance(method, GAN):
        return ()
    turns = method.turns
    # an update more than are made: some dynamics ask after the last one what would be due
    d = _due(method.D.updates, turns.critic + 1, [p.every for p in method.penalties.values()])
    g = _due(method.G.updates, turns.generator + 1, [t.every for t in method.terms.values()])
    return turns, step >= turns.head_start_g, step >= turns.head_start_d, d, g


def _due(updates: int, more: int, every: Sequence[int]) -> Hashable:
    return tuple(tuple((updates + i) % each == 0 for each in every) for i in range(more))


def _shape(batch: Batch) -> Hashable:
    return tuple(None if t is None else (t.shape, t.dtype) for t in (batch.x, batch.c, batch.z))
