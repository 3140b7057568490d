"""A session: the parts of a configuration put together, ready to train."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from gan_cli.anneal import Course
from gan_cli.build import Config, Parts
from gan_cli.dataset.source import Feed, Source
from gan_cli.dynamics import Dynamics
from gan_cli.errors import UserMistake
from gan_cli.loss import Crossing, Selective, Unbounded
from gan_cli.method.gan import GAN
from gan_cli.model.packed import Packed
from gan_cli.player import Player
from gan_cli.randomness import reseed
from gan_cli.schedule import Schedule


@dataclass(frozen=True)
class Session:
    """All that the training loop needs."""

    method: GAN
    dynamics: Dynamics
    source: Source
    feed: Feed
    schedule: Schedule
    course: Course
    device: torch.device
    precision: torch.dtype
    steps: int


def make(config: Config, made: Parts, device: torch.device) -> Session:
    """Players, data and budget, on the device. UserMistake when parts don't go together."""
    source: Source = made.dataset.load()
    reseed(config["seed"], "weights")
    method = _game(config, made, source, device)
    feed = source.open(config["batch_size"], config["seed"], device)
    steps = budget(config, source.length)
    if (waits := max(made.turns.head_start_d, made.turns.head_start_g)) >= steps:
        raise UserMistake(
            f"head_start={waits} leaves the other player none of {steps} steps: a smaller one"
        )
    return Session(
        method=method,
        dynamics=made.dynamics,
        source=source,
        feed=feed,
        schedule=made.schedule,
        course=Course(made.anneal, config, method),
        device=device,
        precision=made.hardware.dtype(device),
        steps=steps,
    )


def _game(config: Config, made: Parts, source: Source, device: torch.device) -> GAN:
    try:
        g_net = made.model.generator(source.shape)
    except ValueError as error:
        raise UserMistake(f"model: {error}") from error
    d_net = made.constraint.wrap(d_net_of(config, made, source.shape))
    optimizer, precision = made.optimizer, made.hardware.autocast(device)
    clip = config["clip_grad"]
    averages = made.averaging.half_life or "ema" in made.anneal.to
    averaging = made.averaging if averages else None
    G = Player(g_net.to(device), optimizer, optimizer.lr, averaging, clip, precision)
    d_rate = optimizer.lr if optimizer.d_lr is None else optimizer.d_lr
    D = Player(d_net.to(device), optimizer, d_rate, None, clip, precision)
    game = GAN(
        G,
        D,
        made.loss,
        made.penalty,
        made.constraint,
        made.augment,
        made.turns,
        config["accumulate"],
    )
    if reason := made.dynamics.refuses(game):
        raise UserMistake(f"dynamics: {reason}")
    return game


def d_net_of(config: Config, made: Parts, shape: tuple[int, ...]) -> nn.Module:
    """D for samples of that shape, unless something of the game can't be right with it."""
    pack = config["pack"]
    try:
        bare = made.model.discriminator((pack * shape[0], *shape[1:]))
    except ValueError as error:
        raise UserMistake(f"model: {error}") from error
    held = any(getattr(part, "holds", True) for part in (*made.penalty.values(), made.constraint))
    d_net = bare if pack == 1 else Packed(bare, pack)
    reasons = [
        ("loss", made.loss.refuses(held) if isinstance(made.loss, Unbounded) else None),
        ("loss", made.loss.refuses_d(bare) if isinstance(made.loss, Selective) else None),
        *((f"penalty.{name}", part.refuses(d_net)) for name, part in made.penalty.items()),
        ("constraint", made.constraint.refuses(d_net)),
        ("augment", made.augment.refuses(shape)),
        ("top_k", _chosen_from_a_crowd(made)),
    ]
    for name, reason in reasons:
        if reason:
            raise UserMistake(f"{name}: {reason}")
    return d_net


def _chosen_from_a_crowd(made: Parts) -> str | None:
    """The refusal of top_k where each sample's loss is a matter of the whole batch."""
    if not isinstance(made.loss, Crossing) or (
        made.turns.top_k == 1 and "top_k" not in made.anneal.to
    ):
        return None
    return "this loss compares each fake with the whole batch, and none can be left out: top_k=1"


def budget(config: Config, length: int | None) -> int:
    """The number of steps that `steps`, `images` or `epochs` come to.

    Images are those that D sees; an epoch is as many as there are in the data set.
    """
    images, epochs = config["images"], config["epochs"]
    if images is not None and epochs is not None:
        raise UserMistake("images and epochs both name a budget: give one of them")
    if epochs is not None:
        if length is None:
            raise UserMistake("epochs has no meaning for an endless data set: steps or images")
        images = epochs * length
    if images is not None:
        return max(1, math.ceil(images / (config["batch_size"] * config["n_critic"])))
    return int(config["steps"])
