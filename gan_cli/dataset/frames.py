"""Moving pictures: frames in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.dataset.clips import clips
from gan_cli.dataset.decode import Decode
from gan_cli.dataset.order import CPU, Order
from gan_cli.dataset.room import fits_device
from gan_cli.dataset.source import Feed, digest, normalised
from gan_cli.errors import UserMistake
from gan_cli.strict import clean


@dataclass(frozen=True)
class Frames:
    """Windows of `past` + 1 frames of the moving pictures at `path`, stacked in channels.

    `path` is a directory (its images are the frames of a clip, in the order of their numbers, and
    so are those of each sub-folder), an animation (GIF, WebP, PNG), a video where PyAV is
    installed, or a directory of these. Of every clip each `every`-th frame is taken; no window
    crosses from one clip into another. For task=frames. The other fields are those of
    dataset=folder.
    """

    path: str | None = None
    past: int = 2
    every: int = 1
    size: int | Sequence[int] | None = 64
    channels: int = 3
    crop: str = "center"
    background: str = "white"
    min_size: int = 8
    mirror: bool = False

    def __post_init__(self) -> None:
        self.decode()
        if self.past < 1 or self.every < 1:
            raise ValueError(f"past and every are 1 or more, not {self.past} and {self.every}")

    def decode(self) -> Decode:
        """How a frame becomes pixels."""
        return Decode.of(self.size, self.channels, self.crop, self.background, self.min_size)

    def load(self) -> Windows:
        """The frames in memory. UserMistake where there are too few in a row."""
        if not self.path:
            raise UserMistake("dataset=frames: of which pictures? Type dataset.path=PATH")
        path = Path(self.path).expanduser()
        found = clips(path, self.decode(), self.every)
        starts = found.starts(self.past + 1)
        if not starts:
            longest = max(found.lengths, default=0)
            fix = f"dataset.past={longest - 1}" if longest > 1 else "other moving pictures"
            raise UserMistake(
                f"{clean(path)}: a sample is {self.past + 1} frames in a row, and no clip has more "
                f"than {longest}: {fix}"
            )
        told = (
            f"{_count(len(found.frames), 'frame')} of {_count(len(found.lengths), 'clip')}, "
            f"{_count(len(starts), 'sample')}"
        )
        frames = torch.from_numpy(np.stack(found.frames))
        return Windows.of(frames, torch.tensor(starts), self.past + 1, self.mirror, (told,))


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


@dataclass(frozen=True, eq=False)
class Windows:
    """A source of `frames` frames in a row, of uint8 pictures `(F, C, H, W)`.

    The windows begin at `starts` `(N,)`. `mirror` flips half of them, chosen anew each epoch.
    """

    pictures: Tensor
    starts: Tensor
    frames: int
    fingerprint: str
    mirror: bool = False
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, pictures: Tensor, starts: Tensor, frames: int, mirror: bool, notes: tuple[str, ...]
    ) -> Windows:
        """Windows with their fingerprint."""
        sha = digest(pictures, torch.cat([starts, torch.tensor([frames])]))
        return cls(pictures, starts, frames, sha, mirror, notes)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels of all frames, height, width)."""
        channels, *sides = self.pictures.shape[1:]
        return (self.frames * channels, *sides)

    @property
    def length(self) -> int:
        """How many windows there are."""
        return len(self.starts)

    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        """Batches gathered by index where the pictures are."""
        return _Gather(self, batch_size, seed, device)


class _Gather:
    def __init__(self, source: Windows, batch_size: int, seed: int, device: torch.device):
        fits = fits_device(source.pictures.nbytes, device)
        home = device if fits else CPU
        self.where = "device" if fits else "host"
        self._device = device
        self._pictures, self._starts = source.pictures.to(home), source.starts.to(home)
        self._window = torch.arange(source.frames, device=home)
        self._order = Order(source.length, batch_size, seed, home, source.mirror)

    def __call__(self, i: int) -> Batch:
        index, flip = self._order(i)
        frames = self._pictures[self._starts[index][:, None] + self._window]
        return normalised(frames.flatten(1, 2), None, flip, self._device)
