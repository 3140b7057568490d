"""What there is in a directory that a run is to be made in, or to go on in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_cli.errors import BadFile, DiskFailure, UserMistake
from gan_cli.record import NAME, Damaged, Record
from gan_cli.strict import clean

CHECKPOINTS = "checkpoints"
"""The directory in a run's that holds its checkpoints."""

DIRECTORIES = (CHECKPOINTS, "samples", "tensorboard", "evaluations")
"""What a run writes into, besides its own directory."""


def used(directory: Path) -> bool:
    """Whether the directory holds a run."""
    return (directory / NAME).exists() or kept(directory)


def kept(directory: Path) -> bool:
    """Whether there are checkpoints, from which a run can go on."""
    return any((directory / CHECKPOINTS).glob("step-*.safetensors"))


def stored(directory: Path) -> tuple[Record | None, str]:
    """What an earlier session recorded here, or why there is none beside checkpoints.

    Neither where the directory is new. Raises UserMistake where it holds something else, and
    BadFile where there is a record alone, and it can't be read, or a link leads out of it.
    """
    _refuse_links(directory)
    unread = f"{directory / NAME} is gone"
    try:
        if (directory / NAME).exists():
            return Record.read(directory), ""
    except Damaged as error:
        if not kept(directory):
            raise
        unread = str(error)
    if kept(directory):
        return None, unread
    if any(not entry.name.startswith(".") for entry in directory.iterdir()):
        raise UserMistake(
            f"{directory} is not empty and holds no run; choose another place with run_dir=DIR"
        )
    return None, ""


def _refuse_links(directory: Path) -> None:
    """Raise BadFile for what would have a run written elsewhere, or wait for ever: a run may have
    come from somebody else."""
    inside = f"{os.path.realpath(directory)}{os.sep}"
    for path in (*directory.glob("*.jsonl"), *(directory / name for name in DIRECTORIES)):
        if path.is_symlink() and not os.path.realpath(path).startswith(inside):
            raise BadFile(f"{clean(path)}: a link that leads out of the run; move what it means")
        if path.suffix and path.exists() and not path.is_file():
            raise BadFile(f"{clean(path)}: a device, pipe or directory, not a file")


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turns what the system says about a directory into a DiskFailure or a UserMistake."""
    try:
        yield
    except (NotADirectoryError, FileExistsError) as error:
        what = f"{clean(error.filename)}: " if error.filename not in (None, str(path)) else ""
        raise UserMistake(f"{path} can't be a run directory: {what}{error.strerror}") from error
    except OSError as error:
        raise DiskFailure(
            f"{path} can't be written: {error.strerror}; choose another place with outputs=DIR "
            "or run_dir=DIR"
        ) from error
