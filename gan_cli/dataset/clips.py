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
from gan_cli.dataset.listing import KINDS, NO_DIRECTORY, absent, opened, unreadable
from gan_cli.dataset.room import fits_host
from gan_cli.dataset.survey import lines, quiet
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
    where there are none, where they don't fit into memory or PyAV lacks; BadFile with all damaged
    files, of which none is left out: what follows another must be the next frame.
    """
    found = Clips([], [])
    bad: dict[Path, str] = {}
    for folder in _folders(path):
        single: list[Frame] = []
        for file in folder:
            before = len(found.frames) + len(single)
            try:
                frames = list(_read(file, decode, every, before, path))
            except FAULTS as error:
                bad[file] = reason(error, file)
                continue
            _check(frames, next(iter(found.frames or single or frames), None), path)
            if file.suffix.lower() in VIDEOS:
                found.add(frames)
            elif len(frames) > 1:
                found.add(frames[::every])
            else:
                single += frames
        if single:
            found.add(single[::every])
    if bad:
        raise BadFile(_told(bad))
    return found


def natural(path: Path) -> list[tuple[int, str]]:
    """A key that puts frame 2 before frame 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _folders(path: Path) -> list[list[Path]]:
    """The files of each directory, in order."""
    wanted = VIDEOS | KINDS.keys()
    if what := absent(path):
        if what == NO_DIRECTORY:
            return [[path]]
        raise UserMistake(f"{clean(path)} {what}: type dataset.path=PATH, of frames")
    found = []
    for folder, folders, names in os.walk(path, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = [Path(folder, n) for n in names if Path(n).suffix.lower() in wanted and n[0] != "."]
        found.append(sorted(files, key=natural))
    if not any(found):
        raise UserMistake(
            f"{clean(path)} holds neither images nor videos: type dataset.path=PATH, of a folder "
            "of frames, an animation or a video"
        )
    return found


def _read(file: Path, decode: Decode, every: int, before: int, path: Path) -> Iterator[Frame]:
    """The frames of a file, as long as they fit into memory with those before them."""
    video = file.suffix.lower() in VIDEOS
    with quiet():
        frames = _video(file, decode, every) if video else decode.frames(file)
        for number, frame in enumerate(frames, before + 1):
            if not fits_host(number * frame.nbytes):
                raise UserMistake(
                    f"{clean(path)} has more frames than there is memory for: a smaller "
                    "dataset.size, dataset.every=4, or fewer files"
                )
            yield frame


def _told(bad: dict[Path, str]) -> str:
    if len(bad) == 1:
        [(file, why)] = bad.items()
        return f"{clean(file)} can't be read: {why}"
    return f"{len(bad)} files can't be read:{lines({str(file): why for file, why in bad.items()})}"


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


def _check(frames: list[Frame], first: Frame | None, path: Path) -> None:
    """Raise BadFile unless the frames agree with the first one."""
    for frame in frames:
        assert first is not None
        if frame.shape != first.shape:
            raise BadFile(
                f"frames in {clean(path)} have {first.shape[2]}×{first.shape[1]} and "
                f"{frame.shape[2]}×{frame.shape[1]} pixels: dataset.size={min(first.shape[1:])} "
                "makes them agree"
            )
