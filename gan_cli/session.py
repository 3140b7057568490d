"""A session: the parts of a configuration put together, ready to train."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch

from gan_cli import dist
from gan_cli.anneal import Course
from gan_cli.batch import Batch
from gan_cli.build import Config, Parts
from gan_cli.circumstances import Circumstances
from gan_cli.dataset.halves import held_out
from gan_cli.dataset.source import Feed, Source, opened
from gan_cli.dynamics import Dynamics
from gan_cli.dynamics.alternating import Alternating
from gan_cli.errors import UserMistake
from gan_cli.facts import Facts, sizes_of
from gan_cli.fast import Graphs, Speed, compilable, computing, quicken, recordable, work_of
from gan_cli.guard import Guard
from gan_cli.loss import Crossing
from gan_cli.method import Method
from gan_cli.method.gan import GAN
from gan_cli.method.kit import GAME, Kit, made
from gan_cli.method.single import Single
from gan_cli.model.synchronised import synchronise
from gan_cli.policy import Skips
from gan_cli.prior import Prior
from gan_cli.randomness import reseed
from gan_cli.schedule import Schedule
from gan_cli.space import Space
from gan_cli.task import Derived, with_answers

EXAMPLES = 64
"""Pairs that answers are measured on during training."""


@dataclass(frozen=True)
class Session:
    """All that the training loop needs.

    `data` are the samples as they come, `source` those of the task; `examples` gives some that
    were held out, if any are, `held` all of those, and `task` how they are made of images, if they
    are; `speed` is how it is computed, `graphs` records its steps where that is wanted, and
    `circumstances` are what its bits depend on besides settings.
    """

    method: Method
    dynamics: Dynamics
    data: Source
    source: Source
    examples: Callable[[], Batch]
    held: Callable[[], Source | None]
    space: Space
    task: Derived | None
    prior: Prior
    feed: Feed
    schedule: Schedule
    course: Course
    device: torch.device
    speed: Speed
    graphs: Graphs | None
    steps: int
    share: int
    circumstances: Circumstances

    @property
    def guard(self) -> Guard | None:
        """What keeps updates from being made that are not finite, where that is wanted."""
        found: Guard | None = getattr(self.method, "guard", None)
        return found

    def sizes(self) -> Facts:
        """The largest number of each tensor, for who looks for one that is not finite."""
        players = self.method.players.items()
        return {f"_sizes/{n}": sizes_of(list(p.floats.values())) for n, p in players}

    @property
    def game(self) -> GAN:
        """The method, where it is a game; TypeError where nobody judges."""
        if not isinstance(self.method, GAN):
            raise TypeError(f"{type(self.method).__name__} is no game of G against D")
        return self.method

    def step(self, batches: Iterable[Batch], step: int) -> Facts:
        """Let everyone learn once; step counts from 0.

        What networks note of their batches (batch norm's running statistics) is averaged over the
        ranks, which is all there is to it: it moves linearly.
        """
        play = self._play if self.graphs is None else partial(self.graphs.step, self._play)
        with computing(self.speed):
            facts = play(batches, step)
        if dist.size() > 1:
            players = self.method.players.values()
            nets = [net for p in players for net in (p.net, p.average) if net is not None]
            dist.level(buffer for net in nets for buffer in net.buffers())
        return facts

    def _play(self, batches: Iterable[Batch], step: int) -> Facts:
        """The step itself, kernel by kernel."""
        if isinstance(self.method, GAN):
            return self.dynamics.step(self.method, batches, step)
        return self.method.step(batches, step)


def make(
    config: Config,
    parts: Parts,
    device: torch.device,
    typed: Iterable[str] = (),
    before: Circumstances | None = None,
) -> Session:
    """Players, data and budget, on the device. UserMistake when parts don't go together.

    `typed` are the overrides as the user typed them: each must mean something to the method.
    `before` are the circumstances of a run that goes on, as far as they were written down.
    """
    with dist.in_turn():
        data: Source = parts.dataset.load()
    space = made("task", lambda: parts.task.space(data))
    _refuse_idle(parts, space, typed)
    source = made("task", lambda: parts.task.take(data))
    reseed(config["seed"], "weights")
    method = parts.method.make(kit(config, parts, space, source.length, device))
    if parts.hardware.synchronises and dist.size() > 1:
        for player in method.players.values():
            synchronise(player.net)
    _refuse_dynamics(parts, method)
    if isinstance(parts.policy, Skips):
        _be_careful(method)
    speed = _quickened(config, parts, method, space, device, before)
    feed = opened(source, config["batch_size"], config["seed"], device)
    steps = budget(config, source.length, method.batches_per_step)
    if (waits := max(parts.turns.head_start_d, parts.turns.head_start_g)) >= steps:
        raise UserMistake(
            f"head_start={waits} leaves the other player none of {steps} steps: a smaller one"
        )
    return Session(
        method=method,
        dynamics=parts.dynamics,
        data=data,
        source=source,
        examples=lambda: _examples(parts, data, config["seed"]),
        held=lambda: held_out(parts.dataset),
        space=space,
        task=parts.task if isinstance(parts.task, Derived) else None,
        prior=parts.prior,
        feed=feed,
        schedule=parts.schedule,
        course=Course(parts.anneal, config, method),
        device=device,
        speed=speed,
        graphs=Graphs.of(speed, method, device),
        steps=steps,
        share=_shared(config["batch_size"], config["accumulate"]),
        circumstances=parts.hardware.circumstances(device, speed),
    )


def _quickened(
    config: Config,
    parts: Parts,
    method: Method,
    space: Space,
    device: torch.device,
    before: Circumstances | None,
) -> Speed:
    """How the players compute from here on, as suits the machine and their networks."""
    players = list(method.players.values())
    work = work_of((player.net for player in players), space, config["pack"])
    speed = parts.hardware.speed(device, work, config["batch_size"], before)
    if device.type == "cpu":
        speed = compilable(speed, parts.hardware.compile is True, method, parts.anneal)
    elif speed.compile and not isinstance(parts.dynamics, Alternating):
        raise UserMistake(
            "hardware.compile: compiled networks move in turn, for their gradients can't be "
            "differentiated again: hardware.compile=false"
        )
    quicken(players, speed, device)
    return recordable(speed, parts.hardware.cuda_graphs is True, method, parts.anneal)


def _examples(parts: Parts, data: Source, seed: int) -> Batch:
    """Pairs that nobody learns from, where the data set has a test split, else of those known."""
    data = held_out(parts.dataset) or data
    return with_answers(parts.task, data).open(EXAMPLES, seed, torch.device("cpu"))(0)


def kit(
    config: Config, parts: Parts, space: Space, length: int | None, device: torch.device
) -> Kit:
    """What a method is put together from. UserMistake for what no method could use."""
    if reason := _chosen_from_a_crowd(parts):
        raise UserMistake(f"top_k: {reason}")
    averages = parts.averaging.half_life or "ema" in parts.anneal.to
    return Kit(
        space=space,
        length=length,
        batch_size=_shared(config["batch_size"], config["accumulate"]),
        device=device,
        model=parts.model,
        judge=parts.discriminator or parts.model,
        prior=parts.prior,
        condition=parts.condition,
        auxiliaries=parts.auxiliary,
        terms=parts.term,
        loss=parts.loss,
        penalties=parts.penalty,
        constraint=parts.constraint,
        augment=parts.augment,
        turns=parts.turns,
        optimizer=parts.optimizer,
        averaging=parts.averaging if averages else None,
        clip_grad=config["clip_grad"],
        accumulate=config["accumulate"],
        pack=config["pack"],
        frozen=config["freeze_d"],
    )


def _shared(batch: int, parts: int) -> int:
    """How many samples of a batch are this rank's. UserMistake where not all have as many."""
    ranks = dist.size()
    if batch % ranks:
        less = [f"{batch // ranks * ranks} or"] if batch > ranks else []
        told = " ".join([*less, str(-(-batch // ranks) * ranks)])
        raise UserMistake(f"batch_size={batch} can't be shared out among {ranks} ranks: {told}")
    if batch // ranks < parts:
        raise UserMistake(
            f"accumulate={parts}: the {batch // ranks} samples of a rank have fewer parts"
        )
    return batch // ranks


def _refuse_idle(parts: Parts, space: Space, typed: Iterable[str]) -> None:
    """Raise UserMistake for what was typed and would mean nothing."""
    roots = {word.lstrip("+~").partition("=")[0].partition(".")[0]: word for word in typed}
    uses = parts.method.uses
    idle = (GAME - uses) | (set() if "optimizer" in uses else {"schedule", "anneal"})
    for root in sorted(roots.keys() & idle):
        name = type(parts.method).__module__.rpartition(".")[2]
        raise UserMistake(f"{roots[root]}: method={name} has no use for it; leave it out")
    if "condition" in roots and not space.classes and space.given is None:
        raise UserMistake(f"{roots['condition']}: in this task nothing is asked for: task=label")
    if space.kinds and not ("auxiliary" in uses and parts.auxiliary):
        raise UserMistake(
            "task: nobody learns its few labels: method=gan auxiliary=semi, or task=unconditional"
        )


def _refuse_dynamics(parts: Parts, method: Method) -> None:
    in_turn = isinstance(parts.dynamics, Alternating)
    if isinstance(method, GAN):
        reason = parts.dynamics.refuses(method)
        if parts.turns.share and not in_turn:
            raise UserMistake("share_fakes: D and G don't move in turn here: dynamics=alternating")
    else:
        reason = None if in_turn else "there is no game to play so: dynamics=alternating"
    if reason:
        raise UserMistake(f"dynamics: {reason}")


def _be_careful(method: Method) -> None:
    if not (isinstance(method, Single) and method.players):
        raise UserMistake("policy: of this method no single updates can be left out: policy=stop")
    method.careful()


def _chosen_from_a_crowd(parts: Parts) -> str | None:
    """The refusal of top_k where each sample's loss is a matter of the whole batch."""
    if not isinstance(parts.loss, Crossing) or (
        parts.turns.top_k == 1 and "top_k" not in parts.anneal.to
    ):
        return None
    return "this loss compares each fake with the whole batch, and none can be left out: top_k=1"


def budget(config: Config, length: int | None, batches: int | None = None) -> int:
    """The number of steps that `steps`, `images` or `epochs` come to.

    Images are those that D sees; an epoch is as many as there are in the data set. A step takes
    so many batches, those of D's updates unless it is said.
    """
    images, epochs = config["images"], config["epochs"]
    if images is not None and epochs is not None:
        raise UserMistake("images and epochs both name a budget: give one of them")
    if epochs is not None:
        if length is None:
            raise UserMistake("epochs has no meaning for an endless data set: steps or images")
        images = epochs * length
    if images is not None:
        return max(1, math.ceil(images / (config["batch_size"] * (batches or config["n_critic"]))))
    return int(config["steps"])
