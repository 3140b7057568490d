"""What the page may ask for: numbers within bounds, read from the query of a stranger's request."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from gan_cli.errors import UserMistake
from gan_cli.strict import clean

MOST = 4096
"""Samples at once, at most; of images far fewer, see Studio."""

FARTHEST = 10.0
"""How far a slider can go, in standard deviations of the prior."""

ENTRIES = 4096
"""Numbers in a list, at most."""

Amounts = tuple[tuple[int, float], ...]
"""Which of several numbers, and how much."""


@dataclass(frozen=True)
class Order:
    """What to draw: `n` samples of a seed, from number `first` on.

    `move` are steps along the principal directions, in standard deviations of z; `z` are numbers of
    z by themselves, which replace what the seed gave. `label` is the class (classes in turn if
    there is none), `psi` the truncation, `given` the name of a picture to be answered.
    """

    seed: int = 0
    first: int = 0
    n: int = 1
    move: Amounts = ()
    z: Amounts = ()
    label: int | None = None
    psi: float = 1.0
    given: str = ""

    @classmethod
    def of(cls, query: Sequence[tuple[str, str]]) -> Order:
        """The order that a query says; UserMistake for anything else."""
        found = dict(query)
        if len(found) < len(query):
            raise UserMistake("the same thing is asked for twice")
        for name in found.keys() - _READ.keys():
            raise UserMistake(f"there is no {clean(name, 40)}: {', '.join(_READ)}")
        return cls(**{name: _READ[name](name, text) for name, text in found.items()})

    def words(self) -> str:
        """The order as text, without what is as usual: `seed=3 move=0:1.5`."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        usual = Order()
        return " ".join(
            f"{name}={_written(value)}"
            for name, value in told.items()
            if value != getattr(usual, name) or name in _ALWAYS
        )


_ALWAYS = {"seed"}


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{index}:{amount:g}" for index, amount in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _whole(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not re.fullmatch(r"\d{1,15}", text, re.ASCII) or not least <= int(text) <= most:
            raise UserMistake(f"{name} is a whole number from {least} to {most}")
        return int(text)

    return read


def _number(low: float, high: float) -> Callable[[str, str], float]:
    def read(name: str, text: str) -> float:
        if not re.fullmatch(r"-?\d{1,3}(\.\d{1,9})?", text, re.ASCII):
            raise UserMistake(f"{name} is a number from {low:g} to {high:g}")
        if not low <= float(text) <= high:
            raise UserMistake(f"{name} is a number from {low:g} to {high:g}")
        return float(text)

    return read


def _amounts(name: str, text: str) -> Amounts:
    """`0:1.5,3:-2`: index and amount, each index once."""
    parts = text.split(",", ENTRIES) if text else []
    if len(parts) > ENTRIES:
        raise UserMistake(f"{name} has over {ENTRIES} numbers")
    index, amount = _whole(0, 1 << 16), _number(-FARTHEST, FARTHEST)
    pairs = [part.partition(":") for part in parts]
    found = {index(name, left): amount(name, right) for left, _, right in pairs}
    if len(found) < len(parts):
        raise UserMistake(f"{name} says the same number twice")
    return tuple(found.items())


def _name(name: str, text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}", text, re.ASCII):
        raise UserMistake(f"{name} is the name of a picture that was sent")
    return text


_READ: dict[str, Callable[[str, str], Any]] = {
    "seed": _whole(0, 10**15 - 1),
    "first": _whole(0, 1 << 20),
    "n": _whole(1, MOST),
    "move": _amounts,
    "z": _amounts,
    "label": _whole(0, 1 << 14),
    "psi": _number(0, 1),
    "given": _name,
}
