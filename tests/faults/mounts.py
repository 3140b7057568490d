"""Disks of their own for a process: small ones that fill up, and ones that can't be written."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.dying import done

_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_RDONLY, _REMOUNT, _REC, _PRIVATE = 1, 32, 16384, 1 << 18
_CANNOT = 77
NOBODY = 65534
"""A user who owns nothing."""


def on_its_own_disks(scenario: Callable[[], object], said: Path) -> str:
    """Do this in a fork that can mount disks, which are gone after it; what it said.

    Skips the test where the system has none for us; fails it where the scenario does.
    """
    code = done(lambda: (_alone(), scenario()), said)
    told = said.read_text()
    if code == _CANNOT:
        pytest.skip("no disks can be mounted here: neither root, nor user namespaces")
    assert code == 0, told
    return told


def tmpfs(where: Path, size: int) -> None:
    """Mount an empty disk in memory, of so many bytes."""
    where.mkdir(parents=True, exist_ok=True)
    _call("mount", b"tmpfs", bytes(where), b"tmpfs", 0, f"size={size}".encode())


def read_only(where: Path, yes: bool = True) -> None:
    """Mount that disk again so that it can't be written, or so that it can."""
    _call("mount", b"tmpfs", bytes(where), b"tmpfs", _REMOUNT | (_RDONLY if yes else 0), None)


def as_nobody(work: Callable[[], object]) -> Callable[[], object]:
    """Do this, in a fork, as somebody whom files' modes hold back."""

    def held_back() -> object:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return work()

    return held_back


def _alone() -> None:
    try:
        uid, gid = os.geteuid(), os.getegid()
        _call("unshare", _NEWNS | (0 if uid == 0 else _NEWUSER))
        if uid:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
            Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        _call("mount", b"none", b"/", None, _REC | _PRIVATE, None)
    except (OSError, AttributeError):
        os._exit(_CANNOT)


def _call(name: str, *args: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*args):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
