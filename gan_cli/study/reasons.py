"""Why runs went wrong: each reason once, with the runs that it is of."""

from __future__ import annotations

from collections.abc import Iterable

from gan_cli.strict import clean

NAMED = 3
"""Runs that are named with a reason, at most."""


def reasons(unwell: Iterable[tuple[str, str, str]], most: int) -> tuple[list[str], int]:
    """A line for each reason, `most` of them, and how many runs are in none of the lines.

    `unwell`: the state of each run, its name, and why.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for state, name, why in unwell:
        found.setdefault((state, why), []).append(clean(name, 80))
    told = [_line(*about, names) for about, names in found.items()]
    left = [*found.values()][most:]
    return told[:most], sum(map(len, left))


def _line(state: str, why: str, names: list[str]) -> str:
    many = f"{len(names)} {state}" if len(names) > 1 else state
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{many}: {', '.join(names[:NAMED])}{more}: {clean(why, 300)}".rstrip(": ")
