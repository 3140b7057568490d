"""What tells runs apart: the settings they don't share, as few of them as say it all."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from gan_cli.run import CADENCE, CONTROL, LOOKING, key_of
from gan_cli.study.folder import Folder

SEED = "seed"
LISTS = ("penalty", "term", "auxiliary", "metric")
"""Groups of which a run has several: their names are keys of its configuration."""

NONE = "none"
_ASIDE = {"dataset.root", "dataset.cache", "dataset.workers"}
"""Where the data are kept, which is not what they are."""

Settings = dict[str, Any]


def settings(folder: Folder) -> Settings:
    """The choice of each group and every key, without the seed and what training isn't a matter
    of: where a run is written, how often it is looked at, and on what machine."""
    config = folder.config
    found = {key: value for key, value in config.items() if _counts(key) and value != {}}
    found |= {group: name for group, name in folder.choices.items() if _counts(group)}
    for group in LISTS:
        if _counts(group) and any(key.partition(".")[0] == group for key in config):
            keys = (key.split(".") for key in config)
            names = {parts[1] for parts in keys if parts[0] == group and len(parts) > 1}
            found[group] = "+".join(sorted(names)) or NONE
    return found


def _counts(key: str) -> bool:
    root = key.partition(".")[0]
    return key not in _ASIDE and root not in CONTROL | CADENCE | LOOKING | {SEED}


def typed(overrides: Iterable[str]) -> list[str]:
    """The keys that a command named, in its order."""
    return [key for key in dict.fromkeys(map(key_of, overrides)) if _counts(key)]


def telling(runs: Sequence[Settings], named: Sequence[Collection[str]]) -> list[str]:
    """The keys whose values tell these runs apart, those that somebody typed first.

    A key that nobody typed is one of them only if runs would be taken for the same without it: so
    `loss=wgan` is told by its name, without the optimiser and penalty that it brings along. Where a
    run has no such key it differs only if somebody typed it: it may be of an earlier version.
    """
    every = agreed(named)
    values: dict[str, set[str]] = {}
    count: dict[str, int] = {}
    for each in runs:
        for key, value in each.items():
            values.setdefault(key, set()).add(spelled(value))
            count[key] = count.get(key, 0) + 1
    lacking = {key for key in every if 0 < count.get(key, 0) < len(runs)}
    varied = {key for key, known in values.items() if len(known) > 1} | lacking
    chosen = [key for key in every if key in varied]
    parts = {key_values(each, chosen) for each in runs}
    for key in sorted(varied - {*chosen}, key=_plainest):
        more = {key_values(each, [*chosen, key]) for each in runs}
        if len(more) > len(parts) and not _explained(runs, chosen, key):
            chosen, parts = [*chosen, key], more
    return chosen


def agreed(lists: Iterable[Iterable[str]]) -> list[str]:
    """Every name of these lists, those of most of them first, then those furthest to the front."""
    places: dict[str, list[int]] = {}
    for names in lists:
        for place, name in enumerate(names):
            places.setdefault(name, []).append(place)
    return sorted(places, key=lambda name: (-len(places[name]), min(places[name]), name))


def _explained(runs: Sequence[Settings], chosen: Sequence[str], key: str) -> bool:
    """Whether the runs that are alike so far differ in this key only by lacking it."""
    known: dict[tuple[str, ...], set[str]] = {}
    for each in runs:
        if key in each:
            known.setdefault(key_values(each, chosen), set()).add(spelled(each[key]))
    return all(len(found) < 2 for found in known.values())


def _plainest(key: str) -> tuple[bool, bool, str]:
    """Choices of groups before keys, and these before classes."""
    return key.endswith("_target_"), "." in key, key


def key_values(run: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
    """The values of these keys, spelled out; empty where a run has none."""
    return tuple(spelled(run[key]) if key in run else "" for key in keys)


def spelled(value: Any) -> str:
    """A value as it is typed."""
    return value if isinstance(value, str) else json.dumps(value)


def natural(text: str) -> list[tuple[int, float, str]]:
    """A key to sort by in which 2 comes before 10, and 1e-4 before 1e-3."""
    parts = re.split(r"((?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)", text)
    return [(0, float(p), "") if n % 2 else (1, 0.0, p) for n, p in enumerate(parts) if p]
