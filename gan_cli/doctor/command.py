"""The whole command of a remedy: what the run was made with, and the remedy in its place."""

from __future__ import annotations

import shlex

from gan_cli.doctor import Remedy
from gan_cli.record import Record
from gan_cli.run import key_of

PLACES = frozenset({"fresh", "run_dir", "resume", "init_from"})
"""Keys that say where that run was: the new one has a place of its own."""


def overrides(record: Record, remedy: Remedy) -> list[str]:
    """The overrides of the run, with those of the remedy instead of what they replace."""
    kept = [text for text in record.overrides if not _gone(key_of(text), remedy)]
    return [*kept, *remedy.changes]


def shell(record: Record, asked: list[str]) -> str:
    """The command with these overrides as it is typed, with where the run had its settings from."""
    sources = {"--config-dir": record.config_dir, "--config-name": record.config_name}
    given = [word for flag, value in sources.items() if value for word in (flag, value)]
    return shlex.join(["gan", "train", *given, *asked])


def typed(record: Record, remedy: Remedy) -> str:
    """The command of another run, as it is typed."""
    return shell(record, overrides(record, remedy))


def foreign(record: Record) -> str:
    """The override that names code or looks elsewhere, and is not to be typed unread; or ''."""
    for text in record.overrides:
        if "_target_" in text or "${" in text or key_of(text).startswith("hydra"):
            return text
    return ""


def _gone(key: str, remedy: Remedy) -> bool:
    """Whether an old override makes way: one of the same key, or of what the remedy replaces.

    Settings within a group that is chosen anew go as well, but for those of entries of a list
    that stay in it.
    """
    if key in PLACES or any(_within(key, root) for root in remedy.drops):
        return True
    for change in remedy.changes:
        changed, _, value = change.partition("=")
        stays = value.startswith("[") and key.partition(".")[2].partition(".")[0] in _names(value)
        if key == changed or ("." not in changed and _within(key, changed) and not stays):
            return True
    return False


def _within(key: str, root: str) -> bool:
    return f"{key}.".startswith(f"{root}.")


def _names(value: str) -> list[str]:
    return value.strip("[]").split(",")
