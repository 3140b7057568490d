"""Pictures of a run inside a page: PNG as it lies there, no more of it than a page can carry."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gan_cli import disk
from gan_cli.report.markup import Html, el

ROOM = 5_500_000
"""Bytes of the pictures of a page, at most; a third more as text."""

MOST = 240
"""Pictures of a page, at most."""

_LARGEST = 3_000_000  # bytes of one
_WIDEST = 8192  # pixels of a side
_PIXELS = 1 << 24
_Thing = TypeVar("_Thing")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


PANEL, PANEL_GAP = (50, 106, 530, 586), (50, 96)
"""Where the first panel of a game in the plane is, as left, top, right, bottom; and the room to the
right of a panel and below it. gan_cli.plot.plane draws them, which takes long to import."""

SMOOTH = 420
"""Pixels of a side from which on a picture is shown smoothly: its samples are no squares then."""


@dataclass(frozen=True)
class Picture:
    """The bytes of a picture and its size in pixels."""

    data: bytes
    width: int
    height: int
    kind: str = "png"

    @property
    def url(self) -> str:
        """The picture as text that stands where an address would."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.data).decode()}"

    def element(self, name: str, alt: str) -> Html:
        """The picture on a page."""
        at = {"alt": alt, "src": self.url, "width": self.width, "height": self.height}
        return el(f"img{name}{'.pixels' if max(self.width, self.height) < SMOOTH else ''}", at=at)


def read(path: Path, largest: int = _LARGEST) -> Picture | None:
    """The picture in a regular file; None where it is no PNG, or too large to show."""
    try:
        # a link could show a picture from elsewhere to whoever is sent the page
        with disk.opened(path, follow=False) as file:
            data = file.read(largest + 1)
    except (OSError, ValueError):
        return None
    if len(data) > largest or not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
        return None
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if not (0 < width <= _WIDEST and 0 < height <= _WIDEST and width * height <= _PIXELS):
        return None
    return Picture(data, width, height)


def small(picture: Picture, room: int, side: int = 320) -> Picture | None:
    """The same in no more bytes than these, smaller if need be; None where it can't be decoded."""
    if len(picture.data) <= room:
        return picture
    from PIL import Image  # takes its time to import

    try:
        with Image.open(io.BytesIO(picture.data), formats=["PNG"]) as whole:
            whole.thumbnail((side, side))
            made = whole.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    told = io.BytesIO()
    made.save(told, "WEBP", quality=80)
    return Picture(told.getvalue(), *made.size, "webp")


def first_panel(picture: Picture) -> Picture:
    """The panel with the samples of a picture of a game in the plane; what is none as it is."""
    columns, left = divmod(picture.width - PANEL[0], PANEL[2] - PANEL[0] + PANEL_GAP[0])
    rows, below = divmod(picture.height - PANEL[1], PANEL[3] - PANEL[1] + PANEL_GAP[1])
    if left or below or columns < 2 or rows < 1:
        return picture
    from PIL import Image  # takes its time to import

    try:
        with Image.open(io.BytesIO(picture.data), formats=["PNG"]) as whole:
            panel = whole.crop(PANEL)
            panel.thumbnail((320, 320))
            told = io.BytesIO()
            panel.convert("RGB").save(told, "WEBP", quality=80)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return picture
    return Picture(told.getvalue(), *panel.size, "webp")


def chosen(
    samples: Sequence[tuple[int, Path]], room: int = ROOM, most: int = MOST
) -> list[tuple[int, Picture]]:
    """Pictures by step that fit the room: all, or evenly spread ones, the last among them."""
    sizes = {step: _size(path) for step, path in samples}
    kept = [(step, path) for step, path in samples if sizes[step] <= _LARGEST]
    count = min(len(kept), most)
    while count > 1 and sum(sizes[step] for step, _ in spread(kept, count)) > room:
        count = min(count - 1, int(count * 0.9))
    found = ((step, read(path)) for step, path in spread(kept, count))
    return [(step, picture) for step, picture in found if picture is not None]


def spread(things: Sequence[_Thing], count: int) -> list[_Thing]:
    """So many of them at even distances, the first and the last among them; of one, the last."""
    if count >= len(things):
        return list(things)
    if count < 2:
        return list(things[len(things) - count :])
    return [things[round(i * (len(things) - 1) / (count - 1))] for i in range(count)]


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return _LARGEST + 1
