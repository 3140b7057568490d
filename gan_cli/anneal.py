"""Annealing: numbers of a configuration that change over a run, all along one curve."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gan_cli.errors import UserMistake
from gan_cli.method import Method
from gan_cli.method.gan import GAN

Put = Callable[[Any], None]

STATIONS = 200
"""Places on the way of a number where it is tried before the run, from its last to its first."""


@dataclass(frozen=True)
class Anneal:
    """Numbers go from where they are to `to` along half a cosine, over a share of the run.

    `to` mirrors the tree of the configuration: {penalty: {r1: {gamma: 0.005}}}. R3GAN anneals the
    weights of its penalties, Adam's beta2, the learning rate and the half-life of the average
    together (Huang et al. 2024, arXiv 2501.05441, appendix).
    """

    over: float = 1.0
    to: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.over <= 1:
            raise ValueError(f"over is a share of the run, above 0 and up to 1, not {self.over}")

    def share(self, progress: float) -> float:
        """How far the numbers are on their way, from 0 to 1."""
        return (1 - math.cos(math.pi * min(1.0, progress / self.over))) / 2


class Course:
    """The numbers of one run that change, from their first to their last values."""

    def __init__(self, anneal: Anneal, config: dict[str, Any], method: Method):
        self.anneal = anneal
        self.ends: list[tuple[Any, Any, Put]] = []
        for key, last in leaves(anneal.to):
            first = _first(config, key)
            if not _alike(first, last):
                raise UserMistake(f"anneal.to.{key}={last}: {key} is {first}, and can't become it")
            put = _put(method, key)
            try:
                for step in range(STATIONS, -1, -1):
                    put(_between(first, last, step / STATIONS))
            except (TypeError, ValueError) as error:
                raise UserMistake(f"anneal.to.{key}: {error}") from error
            self.ends.append((first, last, put))

    def __call__(self, progress: float) -> None:
        """Give every number its value at progress in [0, 1]."""
        share = self.anneal.share(progress)
        for first, last, put in self.ends:
            put(_between(first, last, share))


def leaves(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """The dotted keys of a tree, and their values."""
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        inner = isinstance(value, dict)
        found += leaves(value, f"{prefix}{name}.") if inner else [(f"{prefix}{name}", value)]
    return found


def _first(config: dict[str, Any], key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            raise UserMistake(f"anneal.to.{key}: there is no {key} in this run")
        value = value[name]
    return value


def _alike(first: Any, last: Any) -> bool:
    if isinstance(first, list) and isinstance(last, list) and len(first) == len(last):
        return all(map(_alike, first, last))
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (first, last))
    return numbers and math.isfinite(last)


def _between(first: Any, last: Any, share: float) -> Any:
    if isinstance(first, list):
        return tuple(_between(a, b, share) for a, b in zip(first, last, strict=True))
    return (1 - share) * first + share * last


def _put(method: Method, key: str) -> Put:
    """How the number of that key is set; UserMistake when it can't change.

    It raises TypeError or ValueError for a value that can't be.
    """
    parts = method.parts
    owner, _, attribute = key.rpartition(".")
    if owner in parts:
        return _field(parts[owner], key, attribute)
    setters = _setters(method)
    if key not in setters:
        can = ", ".join([*setters, *(f"{part}.…" for part in parts)])
        raise UserMistake(f"anneal.to.{key}: {key} can't change during a run; what can: {can}")
    players = list(method.players.values())
    if players and (recipe := {"optimizer": players[0].recipe}.get(owner)):
        return _checked(recipe, attribute, setters[key])
    return setters[key]


def _field(part: Any, key: str, attribute: str) -> Put:
    """Sets a field of a component of this run, frozen for everybody else."""
    kinds = {field.name: field.type for field in dataclasses.fields(part)}
    if kinds.get(attribute) in {"int", int}:
        raise UserMistake(f"anneal.to.{key}: {key} is a whole number, and can't glide")
    return _checked(part, attribute, lambda value: object.__setattr__(part, attribute, value))


def _checked(part: Any, attribute: str, put: Put) -> Put:
    """Puts only what the component's own constructor would take."""

    def checked(value: Any) -> None:
        dataclasses.replace(part, **{attribute: value})
        put(value)

    return checked


def _setters(method: Method) -> dict[str, Put]:
    """How the numbers of the players are set."""
    players = method.players
    judges = players.keys() & {"D", "D_A"}
    apart = {name for name in judges if players[name].recipe.d_lr is not None}
    together = set(players) - apart
    setters: dict[str, Put] = {
        "optimizer.lr": lambda value: _rate(method, together, value),
        "optimizer.betas": lambda value: _betas(method, value),
        "ema.half_life": lambda value: _half_life(method, value),
    }
    if isinstance(method, GAN):
        setters["optimizer.d_lr"] = lambda value: _rate(method, {"D"}, value)
        setters["top_k"] = lambda value: _turns(method, value)
    return setters


def _rate(method: Method, players: set[str], value: float) -> None:
    for name in players:
        method.players[name].lr = value


def _betas(method: Method, value: tuple[float, float]) -> None:
    for player in method.players.values():
        for group in player.optimizer.param_groups:
            group["betas"] = value


def _half_life(method: Method, value: float) -> None:
    for player in method.players.values():
        if player.averaging is not None:
            player.averaging = dataclasses.replace(player.averaging, half_life=value)


def _turns(gan: GAN, value: float) -> None:
    gan.turns = dataclasses.replace(gan.turns, top_k=value)
