"""The fast paths that are on: what was picked and why, and the same without each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gan_cli.bench.contender import Contender

PLAIN: dict[str, Any] = {
    "precision": "float32",
    "channels_last": False,
    "compile": False,
    "cuda_graphs": False,
    "products": "torch",
}
"""How torch computes when nothing is asked of it, by key of conf/hardware."""

THREADS = "threads"
ALL = "all of them"
WHOLE = ("cuda_graphs", "compile")


def picks(one: Contender) -> list[tuple[str, str, str]]:
    """How it computes: key, value, and why; '' where there was nothing to choose."""
    speed = one.session.speed
    return [(key, _word(value), speed.why.get(key, "")) for key, value in speed.picks.items()]


def without(one: Contender) -> dict[str, list[str]]:
    """The overrides that turn each fast path off that is on, by what is then missing; and all."""
    had = one.session.speed.picks
    plain = PLAIN | {THREADS: one.threads}
    off = {key: value for key, value in plain.items() if had.get(key, value) != value}
    told = {f"{key}={_word(had[key])}": [_typed(key, value)] for key, value in off.items()}
    if len(told) > 1:
        told[ALL] = [word for words in told.values() for word in words]
    return told


def eager(one: Contender, make: Callable[[list[str]], Contender], *keys: str) -> Contender:
    """The same without these fast paths, through which single operations can't be seen."""
    had = one.session.speed.picks
    off = [_typed(key, PLAIN[key]) for key in keys if had.get(key, PLAIN[key]) != PLAIN[key]]
    return make(off) if off else one


def _typed(key: str, value: object) -> str:
    return f"hardware.{key}={_word(value)}"


def _word(value: object) -> str:
    return str(value).lower()
