"""One half of a picture from the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.dataset.source import Source, check_choice, moved
from gan_cli.space import Shape, Space
from gan_cli.task.pictures import FromImages, check_picture

DIRECTIONS = {"a_to_b": (0, 1), "b_to_a": (1, 0)}
"""Which half is given and which is made: the left one is a."""


@dataclass(frozen=True)
class Translate(FromImages):
    """A sample is a pair of pictures side by side: c is the one, x the other.

    Isola et al. 2016, arXiv 1611.07004, whose data sets are stored so. dataset=pairs puts the
    pictures of two folders side by side; a folder of such pictures is dataset=folder with
    dataset.size=[H,2W] and dataset.crop=none. `mirror` turns half of the pairs, both pictures of
    a pair alike.

    Needs: pictures in pairs, and a model that makes images from images: model=unet.
    Trouble: blurred answers: less weight on term.l1. The wrong one of the two is made:
    task.direction=b_to_a. Half a picture given, and half of it made: the size, which has to be
    that of both together, dataset.size=[H,2W] dataset.crop=none.
    """

    direction: str = "a_to_b"
    mirror: bool = False

    def __post_init__(self) -> None:
        check_choice("direction", self.direction, DIRECTIONS)

    def space(self, source: Source) -> Space:
        """One picture from the other; ValueError where a sample is no two of them."""
        if getattr(source, "mirror", False):
            raise ValueError(
                "dataset.mirror would put the left picture of a pair on the right: "
                "dataset.mirror=false task.mirror=true"
            )
        space = super().space(source)
        _, height, width = source.shape
        if width <= height and not getattr(source, "side_by_side", False):
            side = min(height, width)
            raise ValueError(
                f"its pictures are {width}×{height}, and a pair side by side is about twice as "
                f"wide as high: dataset=folder dataset.size=[{side},{2 * side}] dataset.crop=none, "
                "or dataset=pairs for two folders"
            )
        return space

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Half the width, twice; ValueError where it has no half."""
        check_picture(shape)
        channels, height, width = shape
        if width % 2:
            raise ValueError(
                f"images of {height}×{width} are no two pictures side by side: dataset=pairs, or "
                f"dataset=folder with dataset.size=[{height},{width + 1}]"
            )
        half = (channels, height, width // 2)
        return half, half

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """Both halves, `(N, C, H, W/2)`."""
        given, made = (x.chunk(2, 3)[half] for half in DIRECTIONS[self.direction])
        if self.mirror:
            coins = torch.rand(len(x), generator=generator) < 0.5
            turn = moved(coins, x.device)[:, None, None, None]
            given, made = (torch.where(turn, part.flip(3), part) for part in (given, made))
        return Batch(made, given)
