"""Conditions on runs, as they are typed: `loss=hinge`, `optimizer.lr<1e-3`, `state!=failed`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gan_cli.errors import UserMistake
from gan_cli.strict import clean
from gan_cli.study.settings import spelled

_TYPED = re.compile(r"\s*([^=<>!\s]+)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EQUAL = {"=": True, "==": True, "!=": False}
LISTED = 24
"""Words that are told where one is unknown and none is near, at most."""

EXAMPLE = "loss=hinge, 'optimizer.lr<1e-3' or state!=failed"


@dataclass(frozen=True)
class Condition:
    """A key, how it is compared, and with what: of several words behind = or != any one."""

    key: str
    sign: str
    value: str

    @classmethod
    def read(cls, text: str) -> Condition:
        """What is typed. UserMistake where it is no condition."""
        found = _TYPED.fullmatch(text)
        if not found or not found[3]:
            raise UserMistake(f"{clean(text, 60)!r} is no condition: {EXAMPLE}")
        read = cls(*found.groups())
        if read.sign in _ORDER and number(read.value) is None:
            raise UserMistake(f"{clean(text, 60)!r}: {clean(read.value, 40)} is no number")
        return read

    def __str__(self) -> str:
        return f"{self.key}{self.sign}{self.value}"

    def holds(self, told: Mapping[str, Any]) -> bool:
        """Whether it is true of a run: what it tells, by key. A key that is not there is not
        equal to anything, nor less or more."""
        if self.sign in _EQUAL:
            words = self.value.split(",")
            alike = self.key in told and any(_alike(told[self.key], word) for word in words)
            return alike is _EQUAL[self.sign]
        mine, limit = number(told.get(self.key)), number(self.value)
        return mine is not None and limit is not None and _ORDER[self.sign](mine, limit)


def read(texts: Iterable[str], known: Iterable[str]) -> list[Condition]:
    """Conditions whose keys are among those known; UserMistake with the nearest otherwise."""
    found = [Condition.read(text) for text in texts]
    there = {*known}
    for one in found:
        if one.key not in there:
            raise unknown(one.key, there, "setting, state, seed, step or figure of these runs")
    return found


def unknown(word: str, known: Iterable[str], what: str) -> UserMistake:
    """That a word is none of those known, and the nearest."""
    from difflib import get_close_matches

    there = sorted(key for key in known if "_target_" not in key)
    near = get_close_matches(word, there, n=1)
    leaves = [key for key in there if key.rpartition(".")[2] == word]
    told = f"did you mean {[*leaves, *near][0]}?" if near or leaves else ""
    more = ", …" if len(there) > LISTED else ""
    listed = f"there are {', '.join(there[:LISTED]) or 'none'}{more}"
    return UserMistake(f"{clean(word, 60)} is no {what}; {clean(told or listed, 400)}".rstrip("; "))


def number(value: Any) -> float | None:
    """The number that a value is or spells, else None."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _alike(value: Any, word: str) -> bool:
    """Whether a value is what is typed: 1e-3 is 0.001, and true is True."""
    mine, typed = number(value), number(word)
    if mine is not None and typed is not None:
        return mine == typed
    return spelled(value) == word
