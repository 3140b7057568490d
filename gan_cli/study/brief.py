"""Groups named by what tells them apart, in few words: for headings and legends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gan_cli.study.leaderboard import Group

FEW = 4
"""Settings that are told in full; of more, those of a group that most have are left out."""


def brief(groups: Sequence[Group], columns: Sequence[str]) -> list[str]:
    """A name for each group, all of them different: settings as they are typed.

    What all share is left out. Where more than FEW settings are left, so is of each the value that
    half of the groups or more have; a group that has no such setting then says so.
    """
    keys = [group.key for group in groups]
    values = [Counter(column) for column in zip(*keys, strict=True)]
    apart = [at for at, known in enumerate(values) if len(known) > 1]
    usual = {}
    if len(apart) > FEW:
        most = {at: values[at].most_common(1)[0] for at in apart}
        usual = {at: value for at, (value, count) in most.items() if 2 * count >= len(keys)}
    return [_name(key, columns, apart, usual) for key in keys]


def _name(
    key: Sequence[str], columns: Sequence[str], apart: list[int], usual: dict[int, str]
) -> str:
    """The settings at these places, but for the usual ones."""
    told = []
    for at in apart:
        value, column = key[at], columns[at]
        if value == usual.get(at, ""):
            continue
        told.append(f"{column}={value}" if value else f"no {column}")
    if told:
        return " ".join(told)
    pairs = zip(columns, key, strict=True)
    whole = " ".join(f"{column}={value}" for column, value in pairs if value)
    return "the usual settings" if usual else whole or "all runs"
