"""The runs below the working directory, for those who name none, or one that isn't there."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from gan_cli.errors import BadFile, UserMistake
from gan_cli.strict import clean

NAMED = 5
"""Runs that are named where one is missing, at most."""


def runs() -> list[str]:
    """The runs there are, the one written to last first, as they are typed."""
    depths = ("*/checkpoints", "*/*/checkpoints")
    kept = [path for depth in depths for path in Path("outputs").glob(depth)]
    kept.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [shlex.quote(str(path.parent)) for path in kept]


def suggestion() -> str:
    """The run that was written to last, or a placeholder."""
    return next(iter(runs()), "outputs/RUN")


def check_named(ckpt: str | Path | None, verb: str) -> None:
    """Raise UserMistake where no generator is named, with one that could be, and BadFile where
    there is nothing."""
    if ckpt is None:
        raise UserMistake(f"which generator? {verb} --ckpt {suggestion()}")
    check_there(ckpt)


def check_there(path: str | Path) -> None:
    """Raise BadFile for a place where there is nothing, with the runs that there are."""
    try:
        if ":/" not in str(path):  # of a URL, Path keeps one slash
            os.lstat(path)
    except FileNotFoundError as error:
        named = ", ".join(runs()[:NAMED])
        there = f"; there are {named}" if named else "; gan train makes a run"
        raise BadFile(f"{clean(path)}: No such file or directory{there}") from error
    except (OSError, ValueError):
        return  # reading it will tell
