"""How often a run went back to an earlier step, under policy=rewind, and why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from gan_cli import strict
from gan_cli.diagnosis.signs import READINGS
from gan_cli.doctor.case import Case
from gan_cli.study.folder import Folder
from gan_cli.tail import small

NAME, FORMAT = "rewinds.json", "gan-rewinds/1"
"""The file of a run directory that holds them. What writes it is another module, with torch."""

NAMED = 5
"""Returns that are told, at most: the last ones."""


class Return(NamedTuple):
    """The run went back from the step `at` to the step `to`, for a sign or what broke."""

    at: int
    to: int
    reason: str


def returns(directory: Path) -> list[Return]:
    """The returns of a run, in order; none where the file is not one."""
    try:
        found = strict.parse(small(directory / NAME))
        strict.check(found)
        if found["format"] != FORMAT:
            return []
        return [_return(one) for one in found["returns"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def told(folder: Folder) -> list[str]:
    """The returns of a run in a sentence; none where it never went back."""
    found = returns(folder.path)
    if not found:
        return []
    case = Case.of(folder)
    times = f"{len(found)} time{'s' * (len(found) != 1)}"
    if len(found) >= case.number("policy.times", len(found) + 1):
        times += ", as often as policy.times lets it"
    rates = case.number("policy.lr", 1.0)
    slower = f", each time with learning rates × {rates:g}" if rates != 1 else ""
    ways = Counter(f"from step {at:,} to {to:,} ({reason})" for at, to, reason in found)
    each = [f"{n} × {way}" if n > 1 else way for way, n in ways.items()]
    where = ", ".join(["…", *each[-NAMED:]] if len(each) > NAMED else each)
    return [f"it went back {times}{slower}: {where}; curves are of the last way alone"]


def _return(one: dict[str, object]) -> Return:
    at, to, reason = one["at"], one["to"], one["reason"]
    if type(at) is not int or type(to) is not int or not isinstance(reason, str):
        raise ValueError("no return")
    name = reason.partition(":")[0]
    return Return(at, to, name if name in READINGS else strict.clean(reason, 60))
