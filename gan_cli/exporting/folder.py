"""A directory of an export: all of it is there, or nothing that says it is."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_cli import disk
from gan_cli.errors import UserMistake
from gan_cli.exporting.about import FORMAT
from gan_cli.strict import clean, parse

CARD = "README.md"
"""Written last and removed first: where it is, the rest is what it says."""

CONFIG = "config.json"
"""Written first and never removed: where it is, the rest is an export's, and may be replaced."""

FILES = (CARD, CONFIG, "model.safetensors", "model.onnx", "model.pt2", "samples.png")
"""The names of what can be written; nothing else in a directory is touched."""

LARGEST = 16 << 20
"""Bytes of a config.json that is read, at most."""


@contextmanager
def staged(out: Path, force: bool) -> Iterator[Path]:
    """A directory to write into, whose files are put in place when all went well.

    UserMistake where there are files already, unless `force`; DiskFailure. If anything goes wrong
    nothing is left behind.
    """
    check(out, force)
    inside = out.is_dir()
    parent = out if inside else out.parent
    missing = [path for path in (parent, *parent.parents) if not path.exists()]
    staging = parent / f".gan-{secrets.token_hex(6)}.tmp"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
        yield staging
        _replace(staging, out) if inside else staging.replace(out)
    except OSError as error:
        raise disk.failure(out, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for path in missing:
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()


def check(out: Path, force: bool) -> None:
    """Raise UserMistake unless the place is free, or its files may be replaced."""
    try:
        if not out.exists() and not out.is_symlink():
            return
        inside = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
        if out.is_dir() and (force or not inside):
            _check_ours(out, [name for name in FILES if name in inside])
            return
    except OSError as error:
        raise disk.failure(out, error) from error
    if inside:
        raise UserMistake(f"{clean(out)} holds files already: another --out, or --force to "
                          "replace those of an export in it")  # fmt: skip
    raise UserMistake(f"{clean(out)} is no directory: another --out")


def _check_ours(out: Path, found: list[str]) -> None:
    """Raise UserMistake unless the files of that name are of an export of gan."""
    if found and not _ours(out / CONFIG):
        raise UserMistake(
            f"{clean(out)}: {', '.join(found)} of no export by gan, which nothing replaces: "
            "another --out"
        )


def _ours(path: Path) -> bool:
    """Whether a config.json says that it is one of an export by gan."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            return False
        told = parse(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("format") == FORMAT


def _replace(staging: Path, out: Path) -> None:
    """Put the files into a directory that is there; what an earlier export left goes."""
    for name in FILES:
        if name != CONFIG:
            (out / name).unlink(missing_ok=True)
    (staging / CONFIG).replace(out / CONFIG)
    for name in reversed(FILES):
        if (staging / name).exists():
            (staging / name).replace(out / name)
