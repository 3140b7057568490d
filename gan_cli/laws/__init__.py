"""The laws as functions: what must hold of every component of a kind, a user's own too.

Each law takes a component and gives a Verdict. It changes nothing outside, and gives the same
verdict every time.
"""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, SupportsFloat, TypeVar

import torch

from gan_cli.memory import Remembers

C = TypeVar("C")


@dataclass(frozen=True)
class Verdict:
    """Whether a law holds of a component: what was expected, what was seen, how to mend it.

    `holds` is None where the law asks nothing of such a component; `seen` then says why, or what
    was measured.
    """

    holds: bool | None
    seen: str
    expected: str = ""
    fix: str = ""
    name: str = ""


Law = Callable[[Any], Verdict]


def law(name: str) -> Callable[[Callable[[C], Verdict]], Callable[[C], Verdict]]:
    """Makes a function a law of that name.

    It draws from a generator of its own, and what the component raises is a law that fails.
    """

    def named(check: Callable[[C], Verdict]) -> Callable[[C], Verdict]:
        @wraps(check)
        def judge(component: C) -> Verdict:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                try:
                    verdict = check(_used(component))
                except Exception as error:  # noqa: BLE001, the component may be anybody's
                    verdict = raised(error)
            return replace(verdict, name=name)

        return judge

    return named


def _used(component: C) -> C:
    """A copy that may be changed, with a memory of some batches where it has one."""
    copied = copy.deepcopy(component)
    if isinstance(copied, Remembers):
        for _ in range(100):
            copied.remember(torch.tensor([-1.2, -0.8]), torch.tensor([-0.3, 0.1]))
    return copied


def raised(error: Exception) -> Verdict:
    """The verdict on a component that raised."""
    first, *_ = [*str(error).splitlines(), ""]
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [
        f for f in frames if _LAWS not in Path(f.filename).parents and _TORCH not in f.filename
    ]
    place = f"{Path(theirs[-1].filename).name}:{theirs[-1].lineno}" if theirs else ""
    told = f"{type(error).__name__}: {first}" if first else type(error).__name__
    line = theirs[-1].line if theirs else ""
    fix = f"the line `{line}` in {place}" if line else PROTOCOL
    return Verdict(False, seen=told, expected="an answer", fix=fix)


PROTOCOL = "gan_cli/GROUP/__init__.py says what is called, and with what"

_LAWS = Path(__file__).parent
_TORCH = str(Path(torch.__file__).parent)


def nothing_asked(why: str) -> Verdict:
    """The verdict where a law has nothing to ask."""
    return Verdict(None, seen=why)


def number(value: SupportsFloat) -> str:
    """A number in a verdict: four digits at most, and 0 for what rounding leaves of it."""
    plain = float(value.detach() if isinstance(value, torch.Tensor) else value)
    return "0" if abs(plain) < 1e-12 else f"{plain:.4g}"
