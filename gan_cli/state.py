"""The checkpoints of a run: `step-00012000.safetensors`, the newest good one first."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from gan_cli import container, disk
from gan_cli.container import Checkpoint, Sealed
from gan_cli.errors import BadFile, DiskFailure
from gan_cli.strict import clean

_STEP = re.compile(r"step-(\d{8,15})\.safetensors")
_TICK = 100_000_000  # nanoseconds; file systems tell times in steps of a few million
_READ_BACK: dict[Path, tuple[int, ...]] = {}  # what this process need not read again


class Found(NamedTuple):
    """The newest checkpoint that loads, where it is, and why each newer one does not."""

    checkpoint: Checkpoint
    path: Path
    rejected: list[str]


def path_of(directory: Path, step: int) -> Path:
    """Where the checkpoint of that step belongs."""
    return directory / f"step-{step:08d}.safetensors"


def save(
    directory: Path,
    step: int,
    tensors: dict[str, Tensor],
    meta: dict[str, Any],
    keep: int = 2,
    spare: Collection[int] = (),
) -> Path:
    """Write the checkpoint of a step, and remove those that are no longer needed.

    `meta["kind"]` is "train", and `meta["step"]` that step. At least two stay, however small `keep`
    is, and those of the steps in `spare`. Older ones go only after this one has been read back;
    `best.safetensors` and files of other names are never touched. Raises DiskFailure, and what
    `container.write` raises.
    """
    if not _is_of(step, meta):
        raise ValueError(f"a checkpoint of step {step} whose meta says {meta.get('step')}")
    disk.tidy(directory)
    path = path_of(directory, step)
    sealed = container.seal(tensors, meta)
    disk.replace(path, sealed.parts)
    _verify(path, sealed)
    _point(path, step, sealed.sha256)
    _prune(directory, path, max(2, keep), spare)
    return path


def point(found: Found) -> None:
    """Have the hint for people name this checkpoint, where it names another. Raises DiskFailure."""
    _point(found.path, int(found.checkpoint.meta["step"]), found.checkpoint.sha256)


def _point(path: Path, step: int, sha256: str) -> None:
    hint = json.dumps({"step": step, "file": path.name, "sha256": sha256})
    text, place = f"{hint}\n".encode(), path.with_name("latest.json")
    with contextlib.suppress(OSError):
        if place.read_bytes() == text:
            return
    disk.replace(place, text)


def steps(directory: Path) -> list[int]:
    """The steps of the checkpoints there are, whether they load or not, the newest first."""
    names = (_STEP.fullmatch(path.name) for path in _newest_first(directory))
    return [int(match[1]) for match in names if match]


def loads(directory: Path, step: int) -> bool:
    """Whether the checkpoint of that step is there and whole."""
    with contextlib.suppress(BadFile):
        return bool(_load(path_of(directory, step)))
    return False


def discard(directory: Path, step: int) -> None:
    """Remove the checkpoints after a step. Raises DiskFailure for one that can't be removed."""
    for late in steps(directory):
        if late > step:
            try:
                path_of(directory, late).unlink()
            except OSError as error:
                raise DiskFailure(f"{path_of(directory, late)}: {error.strerror}") from error


def step_of(path: Path) -> int:
    """The step that a file of weights is of; -1 where there is none that loads and says it."""
    with contextlib.suppress(BadFile):
        step = container.read(path).meta.get("step")
        return step if type(step) is int else -1
    return -1


def discard_later(path: Path, step: int) -> None:
    """Remove a file of weights that is of after a step. Raises DiskFailure where that can't be."""
    if step_of(path) > step:
        try:
            path.unlink()
        except OSError as error:
            raise DiskFailure(f"{path}: {error.strerror}") from error


def newest(directory: Path) -> Found | None:
    """The newest checkpoint that loads; None if there is none at all.

    Newest by step, never by date. `latest.json` is a hint for people and is not read. Raises
    BadFile, with every reason, when there are checkpoints but not one that loads.
    """
    rejected: list[str] = []
    for path in _newest_first(directory):
        try:
            return Found(_load(path), path, rejected)
        except BadFile as error:
            rejected.append(str(error))
    if rejected:
        raise BadFile(f"no checkpoint loads: {'; '.join(rejected)}")
    return None


def _verify(path: Path, sealed: Sealed) -> None:
    """Compare what is at the path with what was to be written there, byte for byte."""
    reason = f"{clean(path)}: another file has taken its place"
    for wait in (disk.RETRY_AFTER, 0.0):  # what can't be read may be read a moment later
        if sealed.stands(path):
            _remember(path)
            return
        try:
            container.read(path)
            break
        except BadFile as error:
            reason = str(error)
            time.sleep(wait)
    raise DiskFailure(f"a checkpoint does not read back as it was written: {reason}")


def _remember(path: Path) -> None:
    """The file at the path has been read back; not if it is so young that one that is written now
    could bear the same time."""
    with contextlib.suppress(OSError):
        status = path.stat()
        if time.time_ns() - status.st_mtime_ns > _TICK:
            _READ_BACK[path] = _marks(status)


def _whole(path: Path) -> bool:
    """Whether it loads: one that has been read back here, and is that file still, does."""
    with contextlib.suppress(OSError):
        if _READ_BACK.get(path) == _marks(path.stat()):
            return True
    with contextlib.suppress(BadFile):
        _load(path)
        _remember(path)
        return True
    return False


def _marks(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _load(path: Path) -> Checkpoint:
    checkpoint = container.read(path)
    match = _STEP.fullmatch(path.name)
    if not match or not _is_of(int(match[1]), checkpoint.meta):
        raise BadFile(f"{clean(path)}: not the training checkpoint that its name says it is")
    return checkpoint


def _is_of(step: int, meta: dict[str, Any]) -> bool:
    return meta.get("kind") == "train" and type(meta.get("step")) is int and meta["step"] == step


def _newest_first(directory: Path) -> list[Path]:
    try:
        paths = list(directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadFile(f"{clean(directory)}: {error.strerror or error}") from error
    steps = [(int(match[1]), path) for path in paths if (match := _STEP.fullmatch(path.name))]
    return [path for _, path in sorted(steps, reverse=True)]


def _prune(directory: Path, written: Path, keep: int, spare: Collection[int]) -> None:
    """Remove all that is older than the `keep` newest that load, `written` the first of them.

    A damaged one does not count, so that it never takes a good one's place.
    """
    found = _newest_first(directory)
    older = found[found.index(written) + 1 :]
    if len(older) < keep:
        return
    missing = keep - 1
    for path in older:
        if missing:
            missing -= _whole(path)
        elif path not in {path_of(directory, step) for step in spare}:
            _READ_BACK.pop(path, None)
            with contextlib.suppress(OSError):
                path.unlink()
