"""The generator in a file: what a stranger's metadata may ask for, and what it gets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.modules import module as registration

from gan_cli import container, state, strict
from gan_cli.condition import Condition, plain_generator
from gan_cli.container import Checkpoint
from gan_cli.errors import BadFile, UserMistake
from gan_cli.model import Generator, Model
from gan_cli.prior import Prior
from gan_cli.prior.normal import Normal
from gan_cli.space import Shape, Space
from gan_cli.task import Derived

MAX_EXTENT = 4096
"""Pixels along a side, at most."""

MAX_NUMBERS = 1 << 26
"""Numbers in one sample, at most."""

MAX_ARGUMENT = 1 << 16
"""The largest number among a model's arguments."""

MAX_LENGTH = 64
"""The longest list or word among a model's arguments."""

MAX_CLASSES = 1 << 14
"""Classes that a generator knows, at most."""

FILES = ("generator.safetensors", "model.safetensors")
"""Where a directory holds its generator: a run, an export."""

_NAME = re.compile(r"[A-Za-z]\w{0,63}(\.[A-Za-z]\w{0,63}){0,7}", re.ASCII)
_ARGUMENT = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)


FAILURES = (
    *(BadFile, ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError),
    *(RuntimeError, TypeError, ValueError),
)


class Origin(NamedTuple):
    """Where a sampler's weights come from.

    `rejected` says why newer checkpoints were passed over.
    """

    path: Path | None = None
    step: int = 0
    sha256: str = ""
    averaged: bool = False
    rejected: tuple[str, ...] = ()

    @property
    def weights(self) -> str:
        """In a word, what kind of weights they are."""
        return "averaged" if self.averaged else "raw"


class Loaded(NamedTuple):
    """A generator, what it makes of what, and where it comes from.

    `task` is how its conditions are made from images of the shape `data`, where they are images.
    """

    generator: Generator
    space: Space
    prior: Prior
    task: Derived | None
    data: Shape
    origin: Origin


def load(path: str | Path, raw: bool, trust: tuple[str, ...]) -> Loaded:
    """The generator of a run directory, a training checkpoint or a generator file, on the CPU.

    `Sampler.load` says which one, and what is raised.
    """
    checkpoint, where, rejected = find(path)
    meta, tensors = checkpoint.meta, checkpoint.tensors
    try:
        space, data = _spaces(meta)
        model, condition, prior, task = _components(meta, space, trust)
        prefix, weights = _weights(tensors, raw)
        generator = _build(model, condition, space, weights, prefix)
        if reason := prior.refuses(generator.z_dim):
            raise ValueError(f"its prior can't be: {reason}")
        if task is not None and task.shapes(data) != (space.shape, space.given):
            raise ValueError("its task does not make such samples")
    except FAILURES as error:
        reason = strict.quote(" ".join(str(error).split()) or type(error).__name__, 200)
        raise BadFile(f"{strict.clean(where)}: {reason}") from error
    step, averaged = _count(meta.get("step")), prefix.startswith("G_ema")
    origin = Origin(where, step, checkpoint.sha256, averaged, tuple(rejected))
    return Loaded(generator, space, prior, task, data, origin)


def find(path: str | Path) -> tuple[Checkpoint, Path, list[str]]:
    """The checkpoint that a path means, where it is, and why newer ones were passed over.

    Raises BadFile when there is none that loads.
    """
    if re.match(r"[A-Za-z][\w+.-]+:/", str(path)):
        raise BadFile(f"{strict.clean(path)}: a URL; download the file and name it instead")
    path = Path(path)
    if not _is_directory(path):
        return container.read(path), path, []
    checkpoints = path / "checkpoints"
    file = next((file for name in FILES if (file := path / name).exists()), None)
    rejected: list[str] = []
    try:
        found = state.newest(checkpoints if checkpoints.is_dir() else path)
        if found:
            return found
    except BadFile as error:
        if file is None:
            raise
        rejected = [str(error)]
    if file is None:
        wanted = f"checkpoints/step-*.safetensors, {' or '.join(FILES)}"
        raise BadFile(f"{strict.clean(path)}: holds no {wanted}")
    return container.read(file), file, rejected


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, say: reading it will tell
        return False


def _spaces(meta: dict[str, Any]) -> tuple[Space, Shape]:
    """What is made, and the shape of the data it is derived from, if they are sane."""
    if meta.get("kind") not in {"train", "generator"}:
        raise ValueError(f"neither training nor a generator: kind {strict.quote(meta.get('kind'))}")
    space = meta.get("space")
    if not isinstance(space, dict) or space.keys() - {"given", "data"} != {"shape", "classes"}:
        raise ValueError("its metadata has no space with a shape and classes")
    given = _shape(space["given"]) if "given" in space else None
    shape, classes = _shape(space["shape"]), class_names(space["classes"])
    if given and (classes or len(given) != 3):
        raise ValueError("it is given what no generator is given")
    return Space(shape, classes, given), _shape(space.get("data", space["shape"]))


def _components(
    meta: dict[str, Any], space: Space, trust: tuple[str, ...]
) -> tuple[Model, Condition | None, Prior, Derived | None]:
    """What the metadata names; files of the first days name the model alone."""
    from gan_cli import build  # here, because a sampler of a live network does without Hydra

    def named(group: str) -> Any:
        name, arguments = described(meta, group)
        return build.component(group, name, arguments, trust)

    condition = named("condition") if "condition" in meta else None
    prior = named("prior") if "prior" in meta else Normal()
    task = named("task") if "task" in meta and space.given else None
    if task is not None and not isinstance(task, Derived):
        raise ValueError("its task does not make images from images")
    return named("model"), condition, prior, task


def described(meta: dict[str, Any], group: str) -> tuple[str, dict[str, Any]]:
    """A component's name and arguments, if they are sane; else ValueError."""
    spec = meta.get(group)
    if not isinstance(spec, dict) or spec.keys() != {"name", "args"}:
        raise ValueError(f"its metadata has no {group} with a name and args")
    name, arguments = spec["name"], spec["args"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"an impossible name of a {group}: {strict.quote(name)}")
    if not isinstance(arguments, dict):
        raise ValueError(f"impossible arguments of {group} {name}")
    for key, value in arguments.items():
        if not _ARGUMENT.fullmatch(key) or not _sane(value):
            said = f"{strict.quote(key)}: {strict.quote(value)}"
            raise ValueError(f"an impossible argument of {group} {name}: {said}")
    return name, arguments


def _sane(value: Any) -> bool:
    """Whether it can be an argument of a model: a number that isn't huge, a word, or a list."""
    if isinstance(value, list):
        return len(value) <= MAX_LENGTH and all(_sane(v) and not isinstance(v, list) for v in value)
    if isinstance(value, str):
        return "$" not in value and len(value) <= MAX_LENGTH
    return value is None or (isinstance(value, int | float) and abs(value) <= MAX_ARGUMENT)


def _shape(shape: Any) -> Shape:
    numbers = 1
    for extent in shape if isinstance(shape, list) else [None]:
        if type(extent) is not int or not 1 <= extent <= MAX_EXTENT:
            raise ValueError(f"samples of an impossible shape: {strict.quote(shape)}")
        numbers *= extent
    if len(shape) not in {1, 3} or numbers > MAX_NUMBERS:
        raise ValueError(f"samples of an impossible shape: {strict.quote(shape)}")
    return tuple(shape)


def class_names(classes: Any) -> tuple[str, ...]:
    """The names of classes, if they are sane; else ValueError."""
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError("its classes are not a list of names")
    if len(classes) > MAX_CLASSES:
        raise ValueError(f"{len(classes):,} classes; at most {MAX_CLASSES:,} are read")
    return tuple(strict.clean(name) for name in classes)


def _weights(tensors: dict[str, Tensor], raw: bool) -> tuple[str, dict[str, Tensor]]:
    """The prefix of the generator's weights, and the weights without it."""
    prefixes = ["G/"] if raw else ["G_ema/", "G/"]
    for prefix in prefixes:
        found = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if found:
            return prefix, found
    if raw:
        raise UserMistake("there are no raw weights in that file: leave out --raw")
    raise ValueError("it holds no generator: no tensor G_ema/… or G/…")


def _build(
    model: Model,
    condition: Condition | None,
    space: Space,
    tensors: dict[str, Tensor],
    prefix: str,
) -> Generator:
    """The generator with these weights, once a weightless one has shown that it fits them."""
    new = condition.generator if condition else plain_generator
    with no_larger_than(tensors), torch.device("meta"):
        plan = new(model, space).state_dict()
    compare(plan, tensors, prefix)
    with torch.random.fork_rng(devices=[]):
        generator = new(model, space)
    generator.load_state_dict(tensors, strict=True)
    return generator.eval().requires_grad_(False)


def compare(plan: dict[str, Tensor], tensors: dict[str, Tensor], prefix: str) -> None:
    """Raise ValueError unless names, shapes and dtypes are those of the plan."""
    if missing := sorted(plan.keys() - tensors.keys()):
        raise ValueError(f"tensor {prefix}{missing[0]} is missing; the model it names needs it")
    if spare := sorted(tensors.keys() - plan.keys()):
        raise ValueError(f"tensor {prefix}{spare[0]} is not one of the model it names")
    for name, wanted in plan.items():
        found = tensors[name]
        if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
            raise ValueError(
                f"tensor {prefix}{name} is {found.dtype} {tuple(found.shape)}; "
                f"the model it names needs {wanted.dtype} {tuple(wanted.shape)}"
            )


def no_larger_than(tensors: dict[str, Tensor]) -> AbstractContextManager[None]:
    """Stop the construction of networks with far more parts than there are tensors for."""
    reason = "its metadata asks for a far larger network than it holds weights of"
    return bounded(8 * len(tensors) + 256, 1 << 40, reason)


@contextmanager
def bounded(parts: int, numbers: int, reason: str) -> Iterator[None]:
    """Raise ValueError from the construction of networks of more parts, or of more weights, before
    the first too many is written to."""

    def count(_: object, __: str, new: object) -> None:
        nonlocal parts, numbers
        parts -= 1
        numbers -= new.numel() if isinstance(new, Tensor) else 0
        if min(parts, numbers) < 0:
            raise ValueError(reason)

    hooks = [
        registration.register_module_parameter_registration_hook(count),
        registration.register_module_module_registration_hook(count),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0
