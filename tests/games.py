"""What laws over conf/ need: a configuration as the command line composes it, and its parts."""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

import yaml
from omegaconf import OmegaConf

from gan_cli import build
from tests.conftest import CONF

TINY = ["batch_size=4", "steps=2", "log_every=1", "sample_every=2", "checkpoint_every=2"]
TINY += ["diagnose.n=64"]
"""A run of a moment."""


PLAIN = re.compile(r"[a-z_][\w.]*=(0|-?[1-9]\d*|\d+\.\d+|true|false|null)|run_dir=/[\w/.-]+")
"""What Hydra does no more with than to put it in its place: a number, yes or no, the directory."""


def composed(*overrides: str) -> dict[str, Any]:
    """The job's configuration under these overrides, resolved, as a plain dict.

    Hydra composes what is chosen, once, and what is plain is put in afterwards: it takes a tenth of
    a second each time, which is more than a run of a moment.
    """
    rest = [text for text in overrides if not PLAIN.fullmatch(text)]
    config = copy.deepcopy(_composed(*rest))
    for text in overrides:
        if text not in rest and not _put(config, text):
            return copy.deepcopy(_composed(*overrides))
    return config


_composed = functools.cache(build.compose)


def _put(config: dict[str, Any], override: str) -> bool:
    """Set the value that is there; False where there is none, or others are computed from it."""
    key, _, value = override.partition("=")
    *parents, last = key.split(".")
    try:
        place = functools.reduce(lambda at, name: at[name], parents, config)
        if key in _referred() or isinstance(place[last], dict):
            return False
        place[last] = yaml.safe_load(value)
    except (KeyError, TypeError):
        return False
    return True


@functools.cache
def _referred() -> set[str]:
    """What the values of others are computed from: `name` of `${name}`."""
    texts = [path.read_text() for path in CONF.rglob("*.yaml")]
    return {name for text in texts for name in re.findall(r"\$\{(?:oc\.\w+:)?([\w.]+)", text)}


def part(group: str, name: str, **settings: Any) -> Any:
    """The component that `group=name` makes, with some settings changed; None where it makes none,
    as penalty=none."""
    found = spec(group, name)
    return build._make(found | settings) if found else None


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
