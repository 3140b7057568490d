"""What a run keeps in run.json about how it was made, as strict JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gan_cli import __version__, disk, strict
from gan_cli.errors import BadFile, UserMistake

FORMAT = "gan-run/1"
NAME = "run.json"
_VERSION = re.compile(r"gan-run/\d+")
_LIMIT = 1 << 20
_SESSIONS = 200  # besides the first
_PACKAGES = ("torch", "torchvision", "numpy", "hydra-core", "omegaconf", "safetensors")


class Damaged(BadFile):
    """A record that was one of this version of gan, or nobody knows what."""


@dataclass(frozen=True)
class Record:
    """One run: what was asked, with what, on what, when.

    command: the latest, as typed. overrides and choices: what its configuration is made of.
    config_dir, config_name: where a user's own configuration came from. sessions: each start and
    its command, and once it trained what `note` adds.
    """

    command: str
    overrides: list[str]
    choices: dict[str, str]
    config_dir: str | None
    config_name: str | None
    versions: dict[str, str]
    git: dict[str, Any] | None
    machine: dict[str, Any]
    config: dict[str, Any]
    sessions: list[dict[str, Any]] = field(default_factory=list)
    format: str = FORMAT

    @classmethod
    def make(
        cls,
        config: dict[str, Any],
        choices: dict[str, str],
        overrides: list[str],
        argv: list[str],
    ) -> Record:
        """The record of a session that starts now."""
        command = shlex.join(argv)[:4000]
        where = option(argv, "--config-dir", "-cd")
        return cls(
            command=command,
            overrides=list(overrides),
            choices=dict(choices),
            config_dir=str(Path(where).absolute()) if where else None,
            config_name=option(argv, "--config-name", "-cn"),
            versions=_versions(),
            git=_git(),
            machine=_machine(),
            config=_plain(config),
            sessions=[{"started": now(), "command": command}],
        )

    def after(self, earlier: Record) -> Record:
        """This record, with the sessions before it: the first one, and the latest."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        sessions = earlier.sessions + self.sessions  # the file has a limit, a run's life has none
        return Record(**own | {"sessions": sessions[:1] + sessions[1:][-_SESSIONS:]})

    def to_json(self) -> str:
        """Strict JSON: no NaN, no infinity."""
        return (
            json.dumps(_plain(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        )

    @classmethod
    def read(cls, directory: Path) -> Record:
        """The record in a run directory.

        Raises UserMistake when there is none, Damaged, and BadFile when it is foreign.
        """
        path = directory / NAME
        text = _text(path)
        try:
            found = strict.parse(text)
            strict.check(found)
        except ValueError as error:
            raise Damaged(
                f"{path}: damaged ({error}); the run's own command goes on from its checkpoints, "
                "fresh=true starts over"
            ) from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            known = isinstance(found, dict) and _VERSION.fullmatch(str(found.get("format")))
            kind = BadFile if known else Damaged
            raise kind(f"{path}: not a record of this version of gan ({FORMAT})")
        for entry in fields(cls):
            there = entry.name in found
            if not there or not _fits(found[entry.name], _SHAPES.get(entry.name, object)):
                raise Damaged(f"{path}: `{entry.name}` is missing or not what it should be")
        _in_todays_words(found["config"], found["choices"])
        return cls(**{entry.name: found[entry.name] for entry in fields(cls)})


_SHAPES: dict[str, Any] = {
    "command": str,
    "overrides": [str],
    "choices": {str: str},
    "config_dir": str | None,
    "config_name": str | None,
    "config": dict,
    "sessions": [dict],
}


def note(directory: Path, start: int, steps: int, circumstances: dict[str, Any]) -> None:
    """Write down of the latest session, once, at which step it began, of how many, and in what
    circumstances: what its bits depend on besides its settings. Raises DiskFailure.
    """
    with suppress(BadFile, UserMistake):  # a record that was damaged in this moment
        record = Record.read(directory)
        if not record.sessions or "from" in record.sessions[-1]:
            return
        told = {"from": start, "steps": steps, "git": record.git, "circumstances": circumstances}
        sessions = [*record.sessions[:-1], record.sessions[-1] | told]
        text = replace(record, sessions=sessions).to_json()
        disk.replace(directory / NAME, text.encode())


def _in_todays_words(config: dict[str, Any], choices: dict[str, str]) -> None:
    """Penalties are a list now: the one penalty of the first runs gets its name."""
    only = config.get("penalty")
    if isinstance(only, dict) and "_target_" in only:
        paid = not str(only["_target_"]).endswith(".NoPenalty")
        config["penalty"] = {choices.get("penalty", ""): only} if paid else {}


def _fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, list):
        return isinstance(value, list) and all(isinstance(v, shape[0]) for v in value)
    if shape == {str: str}:
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    return isinstance(value, shape)


def flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key; lists are values."""
    if not isinstance(config, dict) or not config:
        return {prefix: config}
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= flat(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def differences(stored: dict[str, Any], asked: dict[str, Any]) -> dict[str, str]:
    """What changed, by key, as `key: stored → asked`."""
    stored, asked = _plain(stored), _plain(asked)
    keys = [key for key in stored | asked if stored.get(key, ...) != asked.get(key, ...)]
    return {key: f"{key}: {_show(key, stored)} → {_show(key, asked)}" for key in keys}


def _show(key: str, settings: dict[str, Any]) -> str:
    if key not in settings:
        return "(absent)"
    value = settings[key]
    return value if isinstance(value, str) else json.dumps(value)


def option(argv: list[str], *flags: str) -> str | None:
    """The value of a flag in a command, given as `--flag value` or `--flag=value`."""
    for word, following in zip(argv, [*argv[1:], None], strict=True):
        flag, given, value = word.partition("=")
        if flag in flags:
            return value if given else following
    return None


def now() -> str:
    """The local time with its offset, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _plain(value: Any) -> Any:
    """The value as JSON has it: lists for tuples, text for what is not finite, Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float | None) else str(value)


def _text(path: Path) -> str:
    """What is in a small file."""
    try:
        with disk.opened(path) as file:
            data = file.read(_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        what = f"holds no run (no {NAME})" if path.parent.is_dir() else "is no directory"
        raise UserMistake(f"{path.parent} {what}") from None
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BadFile(f"{path}: {error}") from error
    if len(data) > _LIMIT:
        raise BadFile(f"{path}: larger than {_LIMIT} bytes, so gan didn't write it")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Damaged(f"{path}: not UTF-8") from error


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    found = {"gan": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _git() -> dict[str, Any] | None:
    """The revision of the project in the working directory, and whether it has been edited."""
    revision = _ask_git("rev-parse", "HEAD")
    if not revision:
        return None
    edits = _ask_git("status", "--porcelain", "--untracked-files=no")
    return {"revision": revision, "dirty": bool(edits)}


def _ask_git(*words: str) -> str | None:
    try:
        told = subprocess.run(
            ["git", *words],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip()


def _machine() -> dict[str, Any]:
    """The platform, its processors and, when torch is there already, its accelerators."""
    torch = sys.modules.get("torch")
    cuda = torch.cuda if torch is not None and torch.cuda.is_available() else None
    names = [cuda.get_device_name(i) for i in range(cuda.device_count())] if cuda else []
    return {"platform": platform.platform(), "cpus": os.cpu_count(), "devices": names}
