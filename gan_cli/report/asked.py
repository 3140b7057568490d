"""What was asked of a run, held against the installed conf/: what differs, and who brought it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml  # type: ignore[import-untyped]

from gan_cli.configs import directory
from gan_cli.record import flat
from gan_cli.run import key_of
from gan_cli.study.folder import Folder
from gan_cli.study.settings import LISTS, NONE, spelled

TYPED = "typed"
_NAME = re.compile(r"\w{1,60}")
_LARGEST = 1 << 18  # bytes of an entry that is read


@dataclass(frozen=True)
class Setting:
    """A key, its value, the default (None where it is not known) and why it is another: typed, or
    brought along by an entry."""

    key: str
    value: str
    default: str | None = None
    why: str = ""


@dataclass
class _Known:
    """Values that keys have unless somebody says otherwise, and the entries that say so."""

    values: dict[str, Any] = field(default_factory=dict)
    brought: dict[str, tuple[str, str]] = field(default_factory=dict)


def different(folder: Folder) -> list[Setting]:
    """The settings of a run that are not the defaults, choices of groups first."""
    typed = {key_of(override) for override in folder.record.overrides}
    known, usual = _Known(), _usual()
    chosen = _chosen(folder)
    for group, names in chosen.items():
        for name in names:
            _read(group, name, known)
    found = []
    for group, names in chosen.items():
        value, default = _listed(names), _listed(usual.get(group, []))
        if value != default:
            found.append(Setting(group, value, default, _why(group, value, typed, known)))
    root = _root()
    for key, value in folder.config.items():
        default = known.values.get(key, root.get(key, ...))
        if key.endswith("_target_") or key in chosen or value == {}:
            continue
        told = spelled(value)
        if key in typed or not (default is ... or _same(value, default)):
            before = None if default is ... else spelled(default)
            if before != told:
                found.append(Setting(key, told, before, _why(key, told, typed, known)))
    return found


def every(folder: Folder) -> list[Setting]:
    """All settings of a run, choices of groups first."""
    chosen = [Setting(group, _listed(names)) for group, names in _chosen(folder).items()]
    keys = {one.key for one in chosen}
    rest = [Setting(k, spelled(v)) for k, v in folder.config.items() if k not in keys]
    return [*chosen, *rest]


def _why(key: str, value: str, typed: set[str], known: _Known) -> str:
    if key in typed:
        return TYPED
    by, brought = known.brought.get(key, ("", ""))
    return f"with {by}" if by and brought == value else ""


def _same(value: Any, default: Any) -> bool:
    return bool(value == default) or spelled(value) == spelled(default)


def _listed(names: list[str]) -> str:
    return "+".join(sorted(names)) or NONE


def _chosen(folder: Folder) -> dict[str, list[str]]:
    """The names chosen in each group; of some groups several."""
    found = {group: [name] for group, name in folder.choices.items()}
    for group in LISTS:
        keys = [key.split(".") for key in folder.config if key.partition(".")[0] == group]
        if keys:
            found[group] = list(dict.fromkeys(parts[1] for parts in keys if len(parts) > 1))
    return dict(sorted(found.items()))


def _usual() -> dict[str, list[str]]:
    """The choices of `gan train` without a word."""
    pairs = (one for one in _load("train").get("defaults", []) if isinstance(one, dict))
    return {
        str(group): [n for n in _names(name) if n != NONE] if group in LISTS else _names(name)
        for pair in pairs
        for group, name in pair.items()
    }


def _root() -> dict[str, Any]:
    """The keys of `gan train` that stand in no group, and their values."""
    found = {key: value for key, value in _load("train").items() if key not in _DEFAULTS}
    return _plain(flat(found))


def _read(group: str, name: str, known: _Known) -> None:
    """Learn what an entry of conf/ says, and what it brings along; nothing where it is not one."""
    said = _load(group, name)
    whole = bool(said.pop(_WHOLE, False))
    for base in said.pop("defaults", []):
        if isinstance(base, str) and base not in (name, _SELF):
            _read(group, base, known)
        for key, value in base.items() if isinstance(base, dict) else ():
            brought = _listed([n for n in _names(value) if n != NONE]) if value else NONE
            known.brought[str(key).rpartition("/")[2]] = (f"{group}={name}", brought)
    own = said.pop(group, {}) if whole else said
    known.values |= _plain(flat({group: own}))
    for key, value in flat(said if whole else {}).items():
        known.brought[key] = (f"{group}={name}", spelled(value))


_WHOLE = "# @package _global_"
_SELF, _DEFAULTS = "_self_", frozenset({"defaults", "hydra"})


def _load(*parts: str) -> dict[str, Any]:
    """The YAML of conf/ at that place; {} where there is none of the kind."""
    if not all(map(_NAME.fullmatch, parts)):
        return {}
    path = directory().joinpath(*parts).with_suffix(".yaml")
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LARGEST)
        found = yaml.load(text, Loader=_LOADER)  # noqa: S506, both are safe ones
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    if not isinstance(found, dict):
        return {}
    return found | ({_WHOLE: True} if _WHOLE in text else {})


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _names(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Those that are not taken from elsewhere."""
    return {key: value for key, value in values.items() if "${" not in json.dumps(value)}
