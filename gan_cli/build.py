"""From names and numbers to live objects: the only place that instantiates a configuration.

A configuration is a plain dict, as the command line composed it. What a name in a file of
somebody else means is read from the installed `conf/`, never from the file.
"""

from __future__ import annotations

import importlib
import inspect
import math
import re
from dataclasses import dataclass
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from gan_cli.configs import directory
from gan_cli.constraint import Constraint
from gan_cli.constraint.free import Free
from gan_cli.dataset.source import Feed, Source
from gan_cli.errors import BadFile, UserMistake
from gan_cli.fast import Hardware
from gan_cli.loss import Loss, Unbounded
from gan_cli.method.gan import GAN, Turns
from gan_cli.model import Model
from gan_cli.optimizer import Optimizer
from gan_cli.penalty import Penalty
from gan_cli.player import Averaging, Player
from gan_cli.randomness import reseed
from gan_cli.schedule import Schedule

Config = dict[str, Any]


@dataclass(frozen=True)
class Parts:
    """Every component that a configuration names, made but not yet put together."""

    dataset: Any
    model: Model
    loss: Loss
    penalty: Penalty
    constraint: Constraint
    optimizer: Optimizer
    schedule: Schedule
    hardware: Hardware
    averaging: Averaging
    turns: Turns


@dataclass(frozen=True)
class Session:
    """All that the training loop needs."""

    method: GAN
    source: Source
    feed: Feed
    schedule: Schedule
    device: torch.device
    precision: torch.dtype
    steps: int


def parts(config: Config) -> Parts:
    """The components; UserMistake with every problem there is."""
    made: dict[str, Any] = {}
    problems: list[str] = []
    head_start = config["head_start"]
    specs = {name: config[name] for name in _DUTIES} | {
        "averaging": {"_target_": "gan_cli.player.Averaging", **config["ema"]},
        "turns": {
            "_target_": "gan_cli.method.gan.Turns",
            "critic": config["n_critic"],
            "generator": config["n_generator"],
            "head_start_d": head_start["d"],
            "head_start_g": head_start["g"],
        },
    }
    for name, spec in specs.items():
        if not isinstance(spec, dict) or "_target_" not in spec:
            problems.append(f"{name}: its YAML has no _target_, so nothing can be made of it")
            continue
        try:
            made[name] = _make(spec)
            if lacks := [duty for duty in _DUTIES.get(name, ()) if not hasattr(made[name], duty)]:
                problems.append(f"{name}: {spec['_target_']} has no {', '.join(lacks)}")
        except (ValueError, TypeError, ImportError) as error:
            problems.append(f"{name}.{error}" if name in _DUTIES else str(error))
    if problems:
        raise UserMistake("\n".join(problems))
    return Parts(**made)


_DUTIES = {
    "dataset": ("load",),
    "model": ("generator", "discriminator"),
    "loss": ("relative", "d", "g"),
    "penalty": ("every", "__call__", "refuses"),
    "constraint": ("wrap", "project", "refuses"),
    "optimizer": ("lr", "d_lr", "make"),
    "schedule": ("__call__",),
    "hardware": ("claim", "dtype", "autocast"),
}
"""The groups, and what a component of each must have; its protocol says what it means."""


def check(config: Config) -> list[str]:
    """Every problem that the components find with their values."""
    try:
        parts(config)
    except UserMistake as error:
        return str(error).splitlines()
    return []


def session(config: Config, made: Parts, device: torch.device) -> Session:
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
    precision = made.hardware.dtype(device)
    return Session(method, source, feed, made.schedule, device, precision, steps)


def _game(config: Config, made: Parts, source: Source, device: torch.device) -> GAN:
    try:
        g_net = made.model.generator(source.shape)
        d_net = made.model.discriminator(source.shape)
    except ValueError as error:
        raise UserMistake(f"model: {error}") from error
    held = bool(made.penalty.every) or not isinstance(made.constraint, Free)
    if isinstance(made.loss, Unbounded) and (reason := made.loss.refuses(held)):
        raise UserMistake(f"loss: {reason}")
    for name, part in (("penalty", made.penalty), ("constraint", made.constraint)):
        if reason := part.refuses(d_net):
            raise UserMistake(f"{name}: {reason}")
    d_net = made.constraint.wrap(d_net)
    optimizer, precision = made.optimizer, made.hardware.autocast(device)
    clip = config["clip_grad"]
    averaging = made.averaging if made.averaging.half_life else None
    G = Player(g_net.to(device), optimizer, optimizer.lr, averaging, clip, precision)
    d_rate = optimizer.lr if optimizer.d_lr is None else optimizer.d_lr
    D = Player(d_net.to(device), optimizer, d_rate, None, clip, precision)
    parts = config["accumulate"]
    return GAN(G, D, made.loss, made.penalty, made.constraint, made.turns, parts)


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


def model(name: str, args: dict[str, Any], trust: tuple[str, ...] = ()) -> Model:
    """The model of a file: a name of the installed `conf/model/`, or a class of a trusted package.

    BadFile when the name is neither, or the arguments are not its own.
    """
    maker = _maker(name, trust)
    try:
        _check_types(maker, args)
        if unknown := args.keys() - inspect.signature(maker).parameters.keys():
            raise ValueError(f"it has no {', '.join(sorted(unknown))}")
        made: Model = maker(**args)
    except (ValueError, TypeError) as error:
        raise BadFile(f"model {name}: {error}") from error
    return made


def model_name(choice: str, target: str) -> str:
    """What a file calls this model: the choice if it is an installed one, else its class."""
    return choice if _installed(choice) == target else target


def _installed(name: str) -> str | None:
    """The class that the installed `conf/model/` calls so."""
    path = directory() / "model" / f"{name}.yaml"
    if not re.fullmatch(r"\w+", name, re.ASCII) or not path.is_file():
        return None
    return str(OmegaConf.select(OmegaConf.load(path), "_target_"))


def _maker(name: str, trust: tuple[str, ...]) -> Any:
    """The class behind a name in a file; no other kind of thing, and from nowhere else."""
    if target := _installed(name):
        return _find(target)
    package = name.partition(".")[0]
    if not re.fullmatch(r"\w+(\.\w+)+", name, re.ASCII):
        raise BadFile(f"it asks for a model {name[:80]!r} that gan does not have")
    if package not in trust:
        raise BadFile(f"its model {name} is not part of gan: if you trust it, --trust {package}")
    try:
        found = _find(name)
    except (ImportError, AttributeError) as error:
        raise BadFile(f"its model {name} is not here: {error}") from error
    if not isinstance(found, type) or found.__module__.partition(".")[0] != package:
        raise BadFile(f"its model {name} is not a class of the package {package}")
    return found


def _find(target: str) -> Any:
    """What a dotted name stands for; ImportError or AttributeError when there is no such thing."""
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _make(spec: Config) -> Any:
    """The object that a spec names; ValueError, TypeError or ImportError as its maker raised it."""
    try:
        _check_types(_find(spec["_target_"]), spec)
    except (ImportError, AttributeError) as error:
        raise ImportError(f"_target_={spec['_target_']}: {error}") from error
    try:
        return instantiate(spec, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, (ValueError, TypeError)):
            raise type(cause)(str(cause)) from error
        raise TypeError(str(error)) from error


def _check_types(maker: Any, args: Config) -> None:
    """Raise TypeError for an argument that is not of the simple type its maker asks for.

    Annotations are compared by name: nothing is evaluated for the sake of a file.
    """
    for name, parameter in inspect.signature(maker).parameters.items():
        annotation = parameter.annotation
        asked = annotation.__name__ if isinstance(annotation, type) else str(annotation)
        kinds = asked.split(" | ")
        if name not in args or not all(kind in _SIMPLE for kind in kinds):
            continue
        given = type(args[name]).__name__.removesuffix("Type")
        if given not in kinds and (given, "float" in kinds) != ("int", True):
            words = " or ".join(_SIMPLE[kind] for kind in kinds)
            raise TypeError(f"{name} is {words}, not {args[name]!r}")


_SIMPLE = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a word",
    "None": "null",
}
