"""The images in a directory: their names, and the labels that sub-folders give them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NoReturn

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
        found = sorted(_images(root))
        if not found:
            raise UserMistake(
                f"{clean(root)} holds no images ({', '.join(KINDS)}): type "
                f"{key}=DIRECTORY, one of images or of a folder for each class"
            )
        return cls(root, tuple(name for name, _ in found), tuple(stats for _, stats in found))

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
        if any(os.sep not in name for name in self.names):
            return ()
        return tuple(sorted({name.partition(os.sep)[0] for name in self.names}))

    @property
    def labels(self) -> list[int]:
        """The number of each image's class."""
        number = {name: i for i, name in enumerate(self.classes)}
        return [number[name.partition(os.sep)[0]] for name in self.names]

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


def _images(root: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Name and (bytes, time changed) of each, in any order."""
    folders = [""]
    while folders:
        within = folders.pop()
        for entry in _entries(root / within):
            name = entry.name
            if name.startswith("."):
                continue
            if _leads_on(entry):
                if not entry.is_symlink():
                    folders.append(within + name + os.sep)
            elif name[name.rfind(".") :].lower() in KINDS:
                yield within + name, _stat(entry)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError as error:
        unreadable(error)


def _leads_on(entry: os.DirEntry[str]) -> bool:
    """Whether that is a directory, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def unreadable(error: OSError) -> NoReturn:
    """Raise BadFile: a directory that can't be listed may hold anything."""
    raise BadFile(f"can't list {clean(error.filename)}: {error.strerror}") from error


def _stat(entry: os.DirEntry[str]) -> tuple[int, int]:
    try:
        info = entry.stat()
    except OSError:
        return -1, 0
    return (info.st_size, info.st_mtime_ns) if stat.S_ISREG(info.st_mode) else (-1, 0)
