"""Pictures of one run after another, as one file that moves."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

FRAMES = 60
"""Pictures at most; of more, some are left out evenly."""

WIDTH = 800
"""Pixels: wider pictures are made smaller."""

LIMIT = 6_000_000
"""Bytes: what comes out larger is made again, smaller."""

EACH, REST = 120, 2500
"""Milliseconds that a picture stays, and the last one."""


def animation(pictures: Sequence[Path]) -> bytes | None:
    """A WebP file of PNG files in order, that plays for ever; None when fewer than two fit.

    The last picture sets the size: those of another shape, and what is no picture, are left out.
    It is a function of the pictures alone.
    """
    if not pictures:
        return None
    shape = _shape(pictures[-1])
    same = [path for path in pictures if shape and _shape(path) == shape]
    if shape is None or len(same) < 2:
        return None
    for share in (1.0, 0.7, 0.5, 0.35):
        film = _film(_spread(same), min(1.0, WIDTH / shape[0]) * share)
        if len(film) <= LIMIT:
            break
    return film


def _film(paths: list[Path], scale: float) -> bytes:
    frames = []
    for path in paths:
        with Image.open(path) as picture:
            size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            frames.append(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    file = io.BytesIO()
    durations = [EACH] * (len(frames) - 1) + [REST]
    frames[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        quality=75,
        method=2,
        minimize_size=False,
    )
    return file.getvalue()


def _spread(paths: list[Path]) -> list[Path]:
    """At most so many, evenly, the first and the last among them."""
    if len(paths) <= FRAMES:
        return paths
    last = len(paths) - 1
    return [paths[round(i * last / (FRAMES - 1))] for i in range(FRAMES)]


def _shape(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, UnidentifiedImageError):
        return None
