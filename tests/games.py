"""What laws over conf/ need: a configuration as the command line composes it, and its parts."""

from __future__ import annotations

import copy
import functools
from typing import Any

from gan_cli import build

TINY = ["batch_size=4", "steps=2", "log_every=1", "sample_every=2", "checkpoint_every=2"]
"""A run of a moment."""


def composed(*overrides: str) -> dict[str, Any]:
    """The job's configuration under these overrides, resolved, as a plain dict."""
    return copy.deepcopy(_composed(*overrides))


_composed = functools.cache(build.compose)


def part(group: str, name: str) -> Any:
    """The component that `group=name` makes; None where it makes none, as penalty=none."""
    made = getattr(build.parts(composed(f"{group}={name}")), group)
    return made.get(name) if isinstance(made, dict) else made
