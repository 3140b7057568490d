"""Pictures in memory, one after another, as one file that moves."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from gan_cli.plot.grid import Pixels


def film(frames: Sequence[Pixels], milliseconds: int = 80, rest: int = 1500) -> bytes:
    """A WebP file of frames `(height, width, 3)` that plays for ever; the last one rests."""
    file = io.BytesIO()
    first, *others = (Image.fromarray(frame) for frame in frames)
    times = [milliseconds] * len(others) + [rest]
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=times,
        loop=0,
        quality=72,
        method=4,
    )
    return file.getvalue()
