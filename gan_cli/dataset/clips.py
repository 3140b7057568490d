"""Moving pictures in files: a directory of frames, an animation, a video."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_cli.dataset.decode import FAULTS, Decode, reason
from gan_cli.dataset.listing import KINDS, opened
from gan_cli.dataset.room import fits_host
from gan_cli.errors import BadFile, UserMistake
from gan_cli.strict import clean

VIDEOS = frozenset(".avi .m4v .mkv .mov .mp4 .mpeg .mpg .webm".split())
"""What counts as a video by its name."""

Frame = NDArray[np.uint8]


@dataclass
class Clips:
    """Frames one after the other, `(F, C, H, W)`, and how many each clip has."""

    frames: list[Frame]
    lengths: list[int]

    def add(self, frames: list[Frame]) -> None:
        """One clip more."""
        self.frames += frames
        self.lengths.append(len(frames))

    def starts(self, window: int) -> list[int]:
        """Where so many frames begin that are of one clip."""
        first = itertools.accumulate(self.lengths, initial=0)
        return [
            start + i
            for start, length in zip(first, self.lengths, strict=False)
            for i in range(length - window + 1)
        ]


def clips(path: Path, decode: Decode, every: int) -> Clips:
    """Every clip at a path: a file, or a directory in which single pictures are frames.

    The pictures of one directory, in the order of the numbers in their names, are a clip; so is an
    animation (GIF, WebP, PNG), and a video. Every so many frames are taken. Raises UserMistake
    where there are none, where they don't fit into memory or PyAV lacks; BadFile for damaged files.
    """
    found = Clips([], [])
    for folder in _folders(path):
        single: list[Frame] = []
        for file in folder:
            frames = _read(file, decode, 1 if file.suffix.lower() in KINDS else every)
            first = next(iter(found.frames or single or frames), None)
            _check(frames, first, len(found.frames) + len(single), path)
            if file.suffix.lower() in VIDEOS:
                found.add(frames)
            elif len(frames) > 1:
                found.add(frames[::every])
            else:
                single += frames
        if single:
            found.add(single[::every])
    return found


def natural(path: Path) -> list[tuple[int, str]]:
    """A key that puts frame 2 before frame 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _folders(path: Path) -> list[list[Path]]:
    """The files of each directory, in order."""
    wanted = VIDEOS | KINDS.keys()
    if path.is_file():
        return [[path]]
    if not path.is_dir():
        raise UserMistake(f"{clean(path)} does not exist: type dataset.path=PATH, of frames")
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = [Path(folder, n) for n in names if Path(n).suffix.lower() in wanted and n[0] != "."]
        found.append(sorted(files, key=natural))
    if not any(found):
        raise UserMistake(
            f"{clean(path)} holds neither images nor videos: type dataset.path=PATH, of a folder "
            "of frames, an animation or a video"
        )
    return found


def _read(path: Path, decode: Decode, every: int) -> list[Frame]:
    reader = _video if path.suffix.lower() in VIDEOS else _animation
    try:
        return list(reader(path, decode, every))
    except FAULTS as error:
        raise BadFile(f"{clean(path)} can't be read: {reason(error, path)}") from error


def _animation(path: Path, decode: Decode, every: int) -> Iterator[Frame]:
    return itertools.islice(decode.frames(path), 0, None, every)


def _video(path: Path, decode: Decode, every: int) -> Iterator[Frame]:
    try:
        import av
    except ImportError as error:
        raise UserMistake(
            f"{clean(path)} is a video, and reading it needs PyAV: pip install 'gan-cli[video]'"
        ) from error
    opened(path).close()  # FFmpeg would wait for a pipe
    try:
        with av.open(str(path)) as container:
            for frame in itertools.islice(container.decode(video=0), 0, None, every):
                yield decode.pixels(frame.to_image())
    except av.FFmpegError as error:
        raise ValueError(str(error)) from error


def _check(frames: list[Frame], first: Frame | None, before: int, path: Path) -> None:
    """Frames that agree with the first one, and fit into memory with those before them."""
    for frame in frames:
        assert first is not None
        if frame.shape != first.shape:
            raise BadFile(
                f"frames in {clean(path)} have {first.shape[2]}×{first.shape[1]} and "
                f"{frame.shape[2]}×{frame.shape[1]} pixels: dataset.size={min(first.shape[1:])} "
                "makes them agree"
            )
    if first is not None and not fits_host((before + len(frames)) * first.nbytes):
        raise UserMistake(
            f"{clean(path)} has more frames than there is memory for: a smaller dataset.size, "
            "dataset.every=4, or fewer files"
        )
