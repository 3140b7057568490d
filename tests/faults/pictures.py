"""Image files with faults, and ones that only look as if they had any."""

from __future__ import annotations

import os
import socket
import stat
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Make = Callable[[Path], None]


def plain(path: Path, colour: Any = (200, 100, 50), mode: str = "RGB", size: Any = (16, 16)):
    """One colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def noise(path: Path, seed: int, size: tuple[int, int] = (16, 16)):
    """Another picture for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(values).save(path)


def png(path: Path, width: int, height: int):
    """A PNG that says how large it is, and has not a pixel."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    told = b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + told)


def empty(path: Path):
    path.touch()


def text(path: Path):
    path.write_text("I am no image")


def cut_png(path: Path):
    noise(path, 0, (64, 64))
    path.write_bytes(path.read_bytes()[:6000])


def cut_jpeg(path: Path):
    whole = path.with_suffix(".jpg")
    noise(whole, 0, (64, 64))
    path.write_bytes(whole.read_bytes()[:1500])
    whole.unlink()


def broken_link(path: Path):
    path.symlink_to("nowhere.png")


def circle(path: Path):
    path.symlink_to(path.name)


def pipe(path: Path):
    os.mkfifo(path)


def plug(path: Path):
    with socket.socket(socket.AF_UNIX) as one:
        there = os.open(path.parent, os.O_RDONLY)  # its name may have 107 bytes
        one.bind(f"/proc/self/fd/{there}/{path.name}")
        os.close(there)


def device(path: Path):
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero: it never ends


def tiny(path: Path):
    plain(path, size=(1, 1))


def small_bomb(path: Path):
    plain(path, 0, "1", (12_000, 10_000))  # 120 MP in 15 kB


def bomb(path: Path):
    png(path, 20_000, 20_000)  # 400 MP


def endless(path: Path):
    png(path, 2**31 - 1, 2**31 - 1)


def pages(path: Path):
    """A TIFF whose second page alone is too large."""
    first, second = Image.new("1", (16, 16)), Image.new("1", (10_000, 8_000))
    first.save(path, "TIFF", save_all=True, append_images=[second], compression="group4")


def floating(path: Path):
    Image.new("F", (16, 16), 0.5).save(path, format="TIFF")


BROKEN: dict[str, tuple[str, Make, str]] = {
    "an empty file": ("D7", empty, "empty"),
    "text under an image's name": ("D7", text, "no image of a kind"),
    "a PNG that is cut off": ("D7", cut_png, "truncated"),
    "a JPEG that is cut off": ("D7", cut_jpeg, "truncated"),
    "a link to nothing": ("D9", broken_link, "a broken link"),
    "a link to itself": ("D9", circle, "symbolic links"),
    "a pipe": ("D9", pipe, "no regular file"),
    "a socket": ("D9", plug, "no regular file"),
    "a device that never ends": ("D9", device, "no regular file"),
    "an image of 1×1": ("D6", tiny, "1×1 pixels, below dataset.min_size=8"),
    "a PNG of 120 megapixels": ("D13", small_bomb, "120 megapixels, above the limit of 50"),
    "a PNG of 400 megapixels": ("D13", bomb, "megapixels, above the limit of 50"),
    "a PNG of 4 exapixels": ("D13", endless, "megapixels, above the limit of 50"),
    "32 bits a pixel": ("D1", floating, "32 bits a pixel"),
}
"""What can be wrong with one file: the row, how it is made, and words of the reason."""

NAMES = (
    b"a\x1b[31m\n.png",
    b"\xff\xfe.png",
    b"-rf.png",
    "\N{ARTIST PALETTE} \u00fc.png".encode(),
    b"--help.png",
    b" .png",
    b"${oc.env:HOME}.png",
)
"""Names that a program might stumble over."""
