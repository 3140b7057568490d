"""The images in a directory: their names, and the labels that sub-folders give them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from gan_cli.errors import BadFile, UserMistake
from gan_cli.strict import clean

KINDS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
}
"""What counts as an image by its name, and Pillow's names of these formats."""

NO_DIRECTORY = "is no directory"
"""What `absent` says of a file, or of a pipe."""


@dataclass(frozen=True)
class Listing:
    """Names of images relative to a directory, sorted, and the (bytes, time changed) of each.

    (-1, 0) stands for what is no file: a broken link, a pipe.
    """

    root: Path
    names: tuple[str, ...]
    stats: tuple[tuple[int, int], ...]

    @classmethod
    def scan(cls, root: Path, key: str = "dataset.path") -> Listing:
        """What is there. Dot-files are passed over, links to directories not followed.

        `key` is what the user types to name it. Raises UserMistake when there is no such directory,
        or no image in it.
        """
        if what := absent(root):
            raise UserMistake(f"{clean(root)} {what}: type {key}=DIRECTORY, one of images")
        names = tuple(sorted(_names(root)))
        if not names:
            raise UserMistake(
                f"{clean(root)} holds no images ({', '.join(KINDS)}): type "
                f"{key}=DIRECTORY, one of images or of a folder for each class"
            )
        return cls(root, names, tuple(_stat(root / name) for name in names))

    @property
    def bare(self) -> tuple[str, ...]:
        """The first sub-folders that hold no image, of which there would be classes otherwise."""
        if not self.classes:
            return ()
        with os.scandir(self.root) as found:
            there = {one.name for one in found if one.is_dir(follow_symlinks=False)}
        return tuple(sorted(n for n in there - {*self.classes} if not n.startswith(".")))

    @property
    def paths(self) -> list[Path]:
        """Where the images are."""
        return [self.root / name for name in self.names]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The sub-folders, when every image is in one; else ()."""
        parts = [Path(name).parts for name in self.names]
        if any(len(part) < 2 for part in parts):
            return ()
        return tuple(sorted({part[0] for part in parts}))

    @property
    def labels(self) -> list[int]:
        """The number of each image's class."""
        number = {name: i for i, name in enumerate(self.classes)}
        return [number[Path(name).parts[0]] for name in self.names]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of names, sizes and times, in hex: another one where an image has changed."""
        sha = hashlib.sha256()
        for name, (size, time) in zip(self.names, self.stats, strict=True):
            sha.update(os.fsencode(name) + f"\0{size} {time}\n".encode())
        return sha.hexdigest()


def absent(path: Path) -> str:
    """Why that is no directory, in words; '' where it is one."""
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return ""
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:  # a name too long, or a directory above that may not be entered
        return f"can't be looked at ({error.strerror})"
    except ValueError:  # with a NUL
        return "is no path"
    return NO_DIRECTORY


def is_file(path: Path) -> bool:
    """Whether a file is there, as far as one may look."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_directory(path: Path) -> bool:
    """Whether a directory is there, as far as one may look."""
    return not absent(path)


def opened(path: Path) -> BinaryIO:
    """A file that is open to be read. OSError for what is none: a pipe is not waited for."""
    if not stat.S_ISREG(path.stat().st_mode):  # opening a device may make it do something
        raise OSError("no regular file")
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    info = os.fstat(number)
    regular = stat.S_ISREG(info.st_mode)
    if regular and info.st_size:
        return os.fdopen(number, "rb")
    os.close(number)
    raise OSError("empty" if regular else "no regular file")


def _names(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in KINDS:
                yield str(Path(folder, name).relative_to(root))


def unreadable(error: OSError) -> None:
    """Raise BadFile: a directory that can't be listed may hold anything."""
    raise BadFile(f"can't list {clean(error.filename)}: {error.strerror}") from error


def _stat(path: Path) -> tuple[int, int]:
    try:
        info = path.stat()
    except OSError:
        return -1, 0
    return (info.st_size, info.st_mtime_ns) if stat.S_ISREG(info.st_mode) else (-1, 0)
