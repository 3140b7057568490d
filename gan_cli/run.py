"""The run directory: named by the command, written by one process at a time."""

from __future__ import annotations

import hashlib
import json
import os
import re
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml  # type: ignore[import-untyped]

from gan_cli.disk import probe, replace, sync, tidy
from gan_cli.earlier import CHECKPOINTS, disk, stored, used
from gan_cli.errors import BadFile, DiskFailure, GanError, UserMistake
from gan_cli.lock import NAME as LOCK
from gan_cli.lock import hold
from gan_cli.record import NAME as RECORD
from gan_cli.record import Record, differences, flat

CONTROL = frozenset({"fresh", "run_dir", "outputs", "resume", "data_root", "preview"})
"""Keys that say where and how a run is shown: they are no part of what it is."""

BUDGET = frozenset({"steps", "images", "epochs"})
"""Keys that say how long a run is."""

CADENCE = frozenset(
    {"log_every", "sample_every", "checkpoint_every", "keep", "preview", "tensorboard"}
    | {"evaluate_every", "evaluate_n", "best", "patience"}
)
"""Keys that say how often a run is written down, and looked at."""

LOOKING = frozenset({"hardware", "metric", "extractor", "diagnose"})
"""Groups that say where a run is and what is measured of it: training depends on none of them."""

FORGIVING = frozenset({"policy"})
"""Groups that say what is done when a run goes wrong: one that was ended can go on all the same."""

_LONGEST = 200
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*=[A-Za-z0-9_.-]*")

WHERE = frozenset({"dataset.path", "dataset.root", "dataset.cache", "dataset.workers"})
"""Keys that say where the data are: what they are is told by their fingerprint."""


def may_change(key: str) -> bool:
    """Whether a run may be continued with another value of this key."""
    group = key.partition(".")[0]
    return key in CONTROL | BUDGET | CADENCE | WHERE or group in LOOKING | FORGIVING


def name(overrides: Iterable[str]) -> str:
    """The name of the run that these overrides make; `default` when there are none.

    `loss=wgan seed=1` gives `loss-wgan+seed-1`: sorted by key, with `-` for `=` and `+` between.
    Only letters, digits and `_.+-` are used, so that a name needs no quotes in a shell or as a
    value in a command. Overrides that hold anything else, and long ones, get a hash behind a last
    `+`. Two commands that differ in more than order and control keys never share a name.
    """
    telling = sorted(
        (o for o in overrides if key_of(o) not in CONTROL), key=lambda o: o.partition("=")[0]
    )
    if not telling:
        return "default"
    plain = "+".join(override.replace("=", "-", 1) for override in telling)
    if len(plain) <= _LONGEST and all(_PLAIN.fullmatch(override) for override in telling):
        return plain
    readable = re.sub(r"[^A-Za-z0-9_.+-]+", "-", plain)[: _LONGEST - 20].strip("-+.")
    digest = hashlib.sha256(json.dumps(telling).encode()).hexdigest()[:12]
    return f"{readable}+{digest}" if readable else digest


def key_of(override: str) -> str:
    """The key that an override sets, adds or deletes."""
    return override.partition("=")[0].lstrip("+~")


class Run:
    """An open run directory, held by this process until it is closed.

    notes: what the user should be told about opening it. changes: what differs from the last
    session and may (budget, cadence, hardware), as `key: stored → asked`. unread: why there is no
    record of how the run was made, where its checkpoints have to tell; or ''.
    """

    def __init__(self, directory: Path, lock: int):
        self.dir = directory
        self.config_file = directory / "config.yaml"
        self.info = directory / RECORD
        self.metrics = directory / "metrics.jsonl"
        self.tensorboard = directory / "tensorboard"
        self.samples = directory / "samples"
        self.checkpoints = directory / CHECKPOINTS
        self.generator = directory / "generator.safetensors"
        self.best = directory / "best.safetensors"
        self.notes: list[str] = []
        self.changes: list[str] = []
        self.unread = ""
        self._lock: int | None = lock
        self._record: Record | None = None  # of this session, until it is written
        self._new = False
        self._aside: Path | None = None  # where `fresh` moved an earlier run

    @classmethod
    def open(
        cls,
        config: dict[str, Any],
        choices: dict[str, str],
        overrides: list[str],
        argv: list[str],
    ) -> Run:
        """Make or enter the directory of this command, and lock it.

        `fresh` moves an earlier run aside. Raises UserMistake when another process holds it, when
        it holds a run of another configuration or something else, DiskFailure when it can't be
        written, BadFile when its run.json can't be read and no checkpoint is there to go by.
        """
        directory = _place(config, overrides)
        with disk(directory):
            run = cls(directory, _hold(directory))
            try:
                if config.get("fresh") and used(directory):
                    run._move_aside()
                run._enter(config, Record.make(config, choices, overrides, argv))
            except BaseException:
                run._put_back()
                run.close()
                raise
        return run

    def _enter(self, config: dict[str, Any], record: Record) -> None:
        """Make the directory what a run needs, or find that it is; nothing of a run is changed."""
        self._record = record
        before, self.unread = stored(self.dir)
        self._new = before is None and not self.unread
        if before:
            self.compare(_without_data_root(before.config), _without_data_root(config))
            self._record = record.after(before)
        if self._new:
            self.begin()
        for directory in (self.dir, self.checkpoints, self.samples):
            directory.mkdir(exist_ok=True)
            tidy(directory)
            probe(directory)

    def compare(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        """Notes the differences between settings, by dotted key, that a run may have.

        Raises UserMistake for any other.
        """
        typed = {key_of(override) for override in self._record.overrides} if self._record else set()
        changed = differences(before, now)
        told = {key: text for key, text in changed.items() if not _newer(key, before, now, typed)}
        refused = [text for key, text in told.items() if not may_change(key)]
        if refused:
            raise UserMistake(
                "\n  ".join([f"{self.dir} holds a run with other settings:", *refused])
                + "\nstart over with fresh=true (the earlier run is moved aside), or keep both with"
                " run_dir=DIR"
            )
        self.changes += [text for key, text in told.items() if key not in CONTROL]

    def begin(self) -> None:
        """Write down that this session trains, and how; once.

        A session that finds nothing to do leaves the record as it was.
        """
        record, self._record = self._record, None
        if record is None:
            return
        if self.unread and self.info.exists():
            self.info.replace(self.info.with_name(f"{RECORD}.damaged"))
        replace(self.info, record.to_json().encode())  # first: it makes the directory a run's
        text = yaml.safe_dump(record.config, sort_keys=False, allow_unicode=True)
        replace(self.config_file, text.encode())
        self.unread = ""

    def synced(self) -> None:
        """Have all rows reach the disk: those before a checkpoint are not written again."""
        sync([*self.dir.glob("*.jsonl"), self.dir, self.dir.parent])

    def _move_aside(self) -> None:
        number = 1
        while (aside := self.dir.with_name(f"{self.dir.name}.old-{number}")).exists():
            number += 1
        self.dir.rename(aside)
        self._aside = aside
        fresh = hold(self.dir)
        self.close()
        self._lock, self._new = fresh, True
        self.notes.append(f"moved the earlier run to {aside}")

    def _put_back(self) -> None:
        """Leave nothing of a new run behind, and what `fresh` moved aside where it was."""
        if self._new:
            for file in (self.config_file, self.info, self.dir / LOCK):
                with suppress(OSError):
                    file.unlink()
            for directory in (self.checkpoints, self.samples, self.dir):
                with suppress(OSError):  # not there, or not empty
                    directory.rmdir()
        if self._aside is not None and not self.dir.exists():
            self._aside.rename(self.dir)

    @property
    def _untrained(self) -> bool:
        """Whether nothing has been written into the directory but what made it a run's."""
        made = {self.config_file, self.info, self.dir / LOCK, self.checkpoints, self.samples}
        inside = [*self.checkpoints.glob("*"), *self.samples.glob("*")]
        return not inside and made.issuperset(self.dir.glob("*"))

    def news(self) -> list[str]:
        """Notes and changes, which are told once."""
        told = [*self.notes, *self.changes]
        self.notes, self.changes = [], []
        return told

    def close(self) -> None:
        """Let others use the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; the traceback of an unexpected error is kept in crash.txt.

        A new run that was refused before its first step leaves no directory behind.
        """
        if self._new and isinstance(error, UserMistake | BadFile) and self._untrained:
            self._put_back()
        expected = GanError | BrokenPipeError
        if isinstance(error, Exception) and not isinstance(error, expected):
            crash = self.dir / "crash.txt"
            with suppress(DiskFailure):
                replace(crash, "".join(traceback.format_exception(error)).encode())
                error.add_note(f"the traceback is in {crash}")
        self.close()


def _hold(directory: Path) -> int:
    """The lock of a run; UserMistake, with what to do, where another process has it."""
    try:
        return hold(directory)
    except UserMistake as error:
        raise UserMistake(f"{error}; wait for it, or another place: run_dir=DIR") from error


def _place(config: dict[str, Any], overrides: list[str]) -> Path:
    if config.get("run_dir") is None:
        return Path(config["outputs"]).expanduser() / name(overrides)
    by_hand = Path(config["run_dir"]).expanduser()
    return by_hand if by_hand.name not in ("", "..") else by_hand.resolve()


def _without_data_root(config: dict[str, Any]) -> dict[str, Any]:
    """The settings, with paths below data_root told from there: data may have moved."""
    root, values = str(config.get("data_root")), flat(config)
    below = {
        key: value.replace(root, "${data_root}", 1)
        for key, value in values.items()
        if isinstance(value, str) and value.startswith(root) and key not in CONTROL
    }
    return values | below


def _newer(key: str, before: dict[str, Any], now: dict[str, Any], typed: set[str]) -> bool:
    """Whether it is a setting that gan did not have when the run began, at its default now."""
    root = key.partition(".")[0]
    if key in before or key in typed:
        return False
    if not any(known.partition(".")[0] == root for known in before):
        return not any(word.partition(".")[0] == root for word in typed)
    group = key.rpartition(".")[0]  # of the same class, which has learnt more
    kind = next((k for k in (f"{group}._target_", f"{group}.name") if k in before), "")
    return bool(kind) and before[kind] == now.get(kind)
