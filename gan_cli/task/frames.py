"""The next frame of moving pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.dataset.source import Source
from gan_cli.space import Shape, Space
from gan_cli.task.pictures import FromImages, abreast, check_picture, stacked


@dataclass(frozen=True)
class Frames(FromImages):
    """A sample is frames in a row, stacked in channels: c are the `past` first ones, x the next.

    Mathieu et al. 2015, arXiv 1511.05440. dataset=frames reads them from a folder of pictures, an
    animation or a video.

    Needs: dataset=frames, and a model that makes images from images: model=unet.
    Trouble: blur that grows where things move: term=[l1,gradient_difference]. An answer that is
    just the last frame: fewer frames a second, dataset.every=2.
    """

    past: int = 2

    def __post_init__(self) -> None:
        if self.past < 1:
            raise ValueError(f"past is a number of frames, 1 or more, not {self.past}")

    def space(self, source: Source) -> Space:
        """A frame from those before it; ValueError where samples are no frames, or fewer."""
        frames = getattr(source, "frames", None)
        if frames is None:
            raise ValueError("it needs moving pictures: dataset=frames, or task=next_frame")
        if frames != self.past + 1:
            raise ValueError(
                f"a sample here is {frames} frames, which is {frames - 1} and the next: "
                f"task.past={frames - 1}"
            )
        return super().space(source)

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """One frame, and `past` of them; ValueError where channels are not so many frames."""
        channels, left = divmod(shape[0], self.past + 1)
        if left or not channels:
            raise ValueError(f"{shape[0]} channels are not {self.past + 1} frames: dataset=frames")
        check_picture((channels, *shape[1:]))
        return (channels, *shape[1:]), (channels * self.past, *shape[1:])

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """The last frame `(N, C, H, W)`, and those before, `(N, past·C, H, W)`."""
        channels = x.shape[1] // (self.past + 1)
        return Batch(x[:, -channels:], x[:, :-channels])

    def reference(self, c: Tensor) -> Tensor:
        """The last frame given, again, `(N, C, H, W)`."""
        return c[:, -(c.shape[1] // self.past) :]

    def seen(self, c: Tensor) -> Tensor:
        """The frames from left to right, `(N, C, H, past·W)`."""
        return abreast(c, self.past)

    def read(self, x: Tensor) -> Tensor:
        """Pictures of frames from left to right, `(N, C, H, past·W) -> (N, past·C, H, W)`."""
        return stacked(x, self.past)
