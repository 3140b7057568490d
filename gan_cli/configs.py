"""Where the packaged configuration lives."""

from __future__ import annotations

from pathlib import Path


def directory() -> Path:
    """`conf/`: inside the package when installed, beside it in a checkout."""
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "conf"
