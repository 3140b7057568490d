"""What laws over conf/ need: a configuration as the command line composes it, and its parts."""

from __future__ import annotations

from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gan_cli import build
from tests.conftest import CONF

TINY = ["batch_size=4", "steps=2", "log_every=1", "sample_every=2", "checkpoint_every=2"]
"""A run of a moment."""


def composed(*overrides: str) -> dict[str, Any]:
    """The job's configuration under these overrides, resolved, as a plain dict."""
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", overrides=list(overrides))
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return plain


def part(group: str, name: str) -> Any:
    """The component that `group=name` makes."""
    return getattr(build.parts(composed(f"{group}={name}")), group)
