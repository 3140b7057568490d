"""What laws over conf/ need: a configuration as the command line composes it, and its parts."""

from __future__ import annotations

import copy
import functools
from typing import Any

import yaml
from omegaconf import OmegaConf

from gan_cli import build
from tests.conftest import CONF

TINY = ["batch_size=4", "steps=2", "log_every=1", "sample_every=2", "checkpoint_every=2"]
"""A run of a moment."""


def composed(*overrides: str) -> dict[str, Any]:
    """The job's configuration under these overrides, resolved, as a plain dict."""
    return copy.deepcopy(_composed(*overrides))


_composed = functools.cache(build.compose)


def part(group: str, name: str) -> Any:
    """The component that `group=name` makes; None where it makes none, as penalty=none."""
    found = spec(group, name)
    return build._make(found) if found else None


def spec(group: str, name: str) -> dict[str, Any]:
    """The constructor call of an entry, as the command line would have it.

    An entry that is built upon no other is read by itself, in a hundredth of the time; laws do this
    hundreds of times before they begin.
    """
    text = (CONF / group / f"{name}.yaml").read_text()
    alone = yaml.safe_load(text) or {}
    bases = [one for one in alone.pop("defaults", []) if not _overrides(one)]
    if bases:
        found = composed(f"{group}={name}")[group]
    else:
        whole = "# @package _global_" in text
        known = _composed() | (alone if whole else {group: alone})  # where it takes values from
        found = OmegaConf.to_container(OmegaConf.create(known), resolve=True)[group]
    return found.get(name, {}) if group in build.LISTS else found


def _overrides(default: Any) -> bool:
    return default == "_self_" or all(str(key).startswith("override ") for key in default)
