"""Policies: what is done about a red light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Protocol, runtime_checkable

from gan_cli.diagnosis import Light
from gan_cli.diagnosis.signs import READINGS

Lights = Mapping[str, Light]
"""The lights of a look, by sign."""


class Ruling(Enum):
    """What is to be done now."""

    GO_ON = "go on"
    STOP = "stop"
    GO_BACK = "go back"


class Policy(Protocol):
    """What is done about red lights, as a pure function of them.

    A policy that `returns` may go back to an earlier checkpoint: one that is good is kept for it.
    """

    @property
    def signs(self) -> tuple[str, ...] | None:
        """The signs that count, None for all."""
        ...

    @property
    def returns(self) -> bool:
        """Whether it ever goes back."""
        ...

    @property
    def acts(self) -> bool:
        """Whether it ever does anything."""
        ...

    def __call__(self, looks: Sequence[Lights], returned: int) -> Ruling:
        """What is to be done after these looks, the newest last, having gone back so often."""
        ...

    def failed(self, returned: int) -> Ruling:
        """What is to be done when a number stopped being finite; STOP ends the run as failed."""
        ...

    def factor(self, player: str) -> float:
        """What a player's learning rate is multiplied by each time the run goes back."""
        ...


@runtime_checkable
class Skips(Policy, Protocol):
    """A policy under which an update is not made whose gradient is not finite."""

    def endures(self, skipped: int, row: int, made: int) -> bool:
        """Whether a player may go on that skipped so many updates, the last `row` in a row."""
        ...


def check_signs(signs: tuple[str, ...] | None) -> None:
    """Raise ValueError unless they are signs, at least one, or None for all."""
    if signs is None:
        return
    if unknown := [name for name in signs if name not in READINGS]:
        raise ValueError(f"signs are among {', '.join(READINGS)}, not {', '.join(unknown)}")
    if not signs:
        raise ValueError("signs: at least one of them, or null for all")


def check_patience(patience: int) -> None:
    """Raise ValueError unless it is a number of looks."""
    if patience < 1:
        raise ValueError(f"patience is a number of looks, 1 or more, not {patience}")


def lasting(looks: Sequence[Lights], signs: tuple[str, ...] | None) -> int:
    """How many of the newest looks in a row were red in one of the signs."""
    count = 0
    for lights in reversed(looks):
        if not red(lights, signs):
            break
        count += 1
    return count


def red(lights: Lights, signs: tuple[str, ...] | None) -> list[str]:
    """The signs that are red, of those that count."""
    counted = lights if signs is None else signs
    return [name for name in counted if lights.get(name) is Light.RED]
