"""From names and numbers to live objects: the only place that instantiates a configuration.

A configuration is a plain dict, as the command line composed it. What a name in a file of
somebody else means is read from the installed `conf/`, never from the file.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra import compose as compose_job
from hydra import initialize_config_dir
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli import makers
from gan_cli.anneal import Anneal
from gan_cli.augment import Augment
from gan_cli.auxiliary import Auxiliary
from gan_cli.average import Averaging
from gan_cli.condition import Condition
from gan_cli.configs import directory
from gan_cli.constraint import Constraint
from gan_cli.dynamics import Dynamics
from gan_cli.errors import BadFile, UserMistake
from gan_cli.extractor import Recipe as Features
from gan_cli.fast import Hardware
from gan_cli.loss import Loss
from gan_cli.method.kit import Recipe
from gan_cli.method.turns import Turns
from gan_cli.metric import Metric
from gan_cli.model import Model
from gan_cli.optimizer import Optimizer
from gan_cli.penalty import Penalty
from gan_cli.policy import Policy
from gan_cli.prior import Prior
from gan_cli.schedule import Schedule
from gan_cli.task import Task
from gan_cli.term import Term

Config = dict[str, Any]


@dataclass(frozen=True)
class Parts:
    """Every component that a configuration names, made but not yet put together."""

    dataset: Any
    task: Task
    method: Recipe
    model: Model
    discriminator: Model | None
    prior: Prior
    condition: Condition
    auxiliary: dict[str, Auxiliary]
    term: dict[str, Term]
    metric: dict[str, Metric]
    extractor: Features
    loss: Loss
    penalty: dict[str, Penalty]
    constraint: Constraint
    augment: Augment
    dynamics: Dynamics
    optimizer: Optimizer
    schedule: Schedule
    anneal: Anneal
    policy: Policy
    hardware: Hardware
    averaging: Averaging
    turns: Turns


def compose(*overrides: str) -> Config:
    """The configuration that `gan train` has under these overrides, resolved, as a plain dict.

    UserMistake when they can't be composed.
    """
    try:
        with initialize_config_dir(str(directory()), version_base=None):
            config = compose_job("train", overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        said = " ".join(str(error).partition("Config search path")[0].split())
        raise UserMistake(said.removeprefix("In 'train': ")) from error
    plain: Config = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return plain


def parts(config: Config) -> Parts:
    """The components; UserMistake with every problem there is."""
    made: dict[str, Any] = {}
    problems: list[str] = []
    head_start = config["head_start"]
    specs = {name: config.get(name) for name in _DUTIES} | {
        "averaging": {"_target_": "gan_cli.average.Averaging", **config["ema"]},
        "turns": {
            "_target_": "gan_cli.method.turns.Turns",
            "critic": config["n_critic"],
            "generator": config["n_generator"],
            "head_start_d": head_start["d"],
            "head_start_g": head_start["g"],
            "top_k": config["top_k"],
            "share": config.get("share_fakes", False),
        },
    }
    lists = {group: specs.pop(group) or {} for group in LISTS}
    specs |= {f"{group}.{n}": one for group, some in lists.items() for n, one in some.items()}
    if not specs["discriminator"]:  # D is of the model's own family
        made["discriminator"] = specs.pop("discriminator") or None
    for name, spec in specs.items():
        if not isinstance(spec, dict) or "_target_" not in spec:
            problems.append(f"{name}: {_formless(name)}")
            continue
        group = name.partition(".")[0]
        try:
            made[name] = _make(spec, _DUTIES.get(group, ()))
            if not isinstance(getattr(made[name], "figures", {}), Mapping):
                problems.append(f"{name}: figures is a mapping of names to Figure, no method")
            if lacks := [duty for duty in _DUTIES.get(group, ()) if not hasattr(made[name], duty)]:
                needs = "; ".join(filter(None, (_ADVICE.get(duty) for duty in lacks)))
                told = f"{name}: {spec['_target_']} has no {', '.join(lacks)}"
                problems.append(f"{told}: {needs}" if needs else told)
        except (ValueError, TypeError, ImportError) as error:
            problems.append(f"{name}.{error}" if group in _DUTIES else str(error))
    if problems:
        raise UserMistake("\n".join(problems))
    for group, some in lists.items():
        made[group] = {name: made.pop(f"{group}.{name}") for name in some}
    return Parts(**made)


def _formless(name: str) -> str:
    """What is wrong with a YAML of which nothing can be made, and how it would begin."""
    group, _, own = name.partition(".")
    said = "its YAML has no _target_, so nothing can be made of it"
    if own:
        return f"{said}; one of a {group} says: # @package _global_, then {group}: {{NAME: {{…}}}}"
    return f"{said}; if there is one under `{group}:`, its first line must be # @package _global_"


LISTS = ("penalty", "term", "auxiliary", "metric")
"""The groups of which a run can have several, each under its own name."""

_DUTIES = {
    "dataset": ("load",),
    "task": ("space", "take"),
    "method": ("uses", "make"),
    "model": ("generator", "discriminator"),
    "discriminator": ("discriminator",),
    "prior": ("__call__", "refuses"),
    "condition": ("matching", "generator", "discriminator"),
    "auxiliary": ("guesses", "answer", "d", "g", "refuses"),
    "term": ("every", "__call__", "refuses"),
    "metric": ("figures", "refuses", "__call__"),
    "extractor": ("of",),
    "loss": ("relative", "d", "g"),
    "penalty": ("every", "__call__", "refuses"),
    "constraint": ("wrap", "project", "refuses"),
    "augment": ("__call__", "refuses"),
    "dynamics": ("step", "refuses"),
    "optimizer": ("lr", "d_lr", "make"),
    "schedule": ("__call__",),
    "anneal": ("over", "to"),
    "policy": ("acts", "returns", "signs", "__call__", "failed", "factor"),
    "hardware": ("claim", "speed", "circumstances"),
}
"""The groups, and what a component of each must have; its protocol says what it means."""


_ADVICE = {
    "relative": "write `relative: ClassVar[bool] = False` in the class, unless g reads real",
    "every": "write `every: int = 1` in the class, D's updates from one payment to the next",
    "refuses": "write `def refuses(self, D): return None`, unless some D is wrong for it",
}
"""What to write in a component that lacks something."""


def settings(specs: Config) -> dict[str, dict[str, Any]]:
    """What components of a list are told, by name, as plain values."""
    return {n: {k: v for k, v in s.items() if not k.startswith("_")} for n, s in specs.items()}


def check(config: Config) -> list[str]:
    """Every problem that the components find with their values."""
    try:
        parts(config)
    except UserMistake as error:
        return str(error).splitlines()
    return []


def component(group: str, name: str, args: dict[str, Any], trust: tuple[str, ...] = ()) -> Any:
    """The component of a file: a name of the installed `conf/`, or a class of a trusted package.

    BadFile when the name is neither, or the arguments are not its own.
    """
    maker = _maker(group, name, trust)
    try:
        makers.check_types(maker, args)
        if unknown := args.keys() - inspect.signature(maker).parameters.keys():
            raise ValueError(f"it has no {', '.join(sorted(unknown))}")
        return maker(**args)
    except (ValueError, TypeError) as error:
        raise BadFile(f"{group} {name}: {error}") from error


def described(group: str, choice: str, spec: Config) -> Config:
    """What a file says of a component: its name, or class where it isn't installed; its args."""
    args = {key: value for key, value in spec.items() if not key.startswith("_")}
    target = str(spec["_target_"])
    names = (choice, target.split(".")[-2])
    name = next((name for name in names if _installed(group, name) == target), target)
    return {"name": name, "args": args}


def _installed(group: str, name: str) -> str | None:
    """The class that the installed `conf/` calls so."""
    path = directory() / group / f"{name}.yaml"
    if not re.fullmatch(r"\w+", name, re.ASCII) or not path.is_file():
        return None
    said = OmegaConf.load(path)
    keys = ("_target_", f"{group}._target_", f"{group}.{name}._target_")  # the last one of a list
    found = (OmegaConf.select(said, key) for key in keys)
    return next((str(target) for target in found if target), None)


def _maker(group: str, name: str, trust: tuple[str, ...]) -> Any:
    """The class behind a name in a file; no other kind of thing, and from nowhere else."""
    if target := _installed(group, name):
        return _find(target)
    package = name.partition(".")[0]
    if not re.fullmatch(r"\w+(\.\w+)+", name, re.ASCII):
        raise BadFile(f"it asks for a {group} {name[:80]!r} that gan does not have")
    if package not in trust:
        raise BadFile(f"its {group} {name} is not part of gan: if you trust it, --trust {package}")
    try:
        found = _find(name)
    except (ImportError, AttributeError) as error:
        raise BadFile(f"its {group} {name} is not here: {error}") from error
    if not isinstance(found, type) or found.__module__.partition(".")[0] != package:
        raise BadFile(f"its {group} {name} is not a class of the package {package}")
    return found


def _find(target: str) -> Any:
    """What a dotted name stands for; ImportError or AttributeError when there is no such thing."""
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _make(spec: Config, duties: Sequence[str] = ()) -> Any:
    """The object that a spec names; ValueError, TypeError or ImportError as its maker raised it.

    Nothing is called but a class that has one of the duties at least: other things that a file
    may name, such as `os.system`, are not.
    """
    try:
        maker = _find(spec["_target_"])
        makers.check(spec, maker, duties)
        makers.check_types(maker, spec)
    except (ImportError, AttributeError) as error:
        raise ImportError(f"_target_={spec['_target_']}: {error}") from error
    try:
        return instantiate(spec, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, (ValueError, TypeError)):
            raise type(cause)(str(cause)) from error
        raise TypeError(str(error)) from error
