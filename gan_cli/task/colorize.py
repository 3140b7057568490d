"""Colours for gray images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.space import Shape
from gan_cli.task.pictures import FromImages, gray


@dataclass(frozen=True)
class Colorize(FromImages):
    """x is an image in colour, c the same in gray.

    Isola et al. 2016, arXiv 1611.07004, section 4; gray is the luma of ITU-R BT.601.

    Needs: images in colour, and a model that makes images from images: model=unet.
    Trouble: pale, brownish colours are the mean of the likely ones: less weight on term=l1 or l2.
    """

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Three channels, and one; ValueError where there are no colours."""
        if shape[0] != 3:
            raise ValueError(
                f"it makes colours, and these images have {shape[0]} channels: dataset=cifar10, or "
                "dataset=folder with dataset.channels=3"
            )
        return shape, (1, *shape[1:])

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """Images `(N, 3, H, W)` and gray ones, `(N, 1, H, W)`."""
        return Batch(x, gray(x))

    def reference(self, c: Tensor) -> Tensor:
        """The gray image, `(N, 1, H, W) -> (N, 3, H, W)`."""
        return c.repeat(1, 3, 1, 1)
