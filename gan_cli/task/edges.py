"""Images from their edges."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.space import Shape
from gan_cli.task.pictures import FromImages, check_picture, edges


@dataclass(frozen=True)
class Edges(FromImages):
    """x is an image, c a drawing of its edges, white on black.

    The task of Isola et al. 2016, arXiv 1611.07004, section 4 (edges to photo), with Sobel's masks
    for their edge detector. `strength` times the slope is how bright an edge is; with a
    `threshold`, slopes above it are white and the rest is black, as lines drawn by hand are.

    Needs: a model that makes images from images: model=unet.
    Trouble: your own drawings answered with rubbish: train with a threshold (0.2), as hand-drawn
    lines have no shades, and draw white on black.
    """

    strength: float = 2.0
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.strength <= 0:
            raise ValueError(f"strength must be positive, not {self.strength}")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ValueError(f"threshold lies between 0 and 1, or is null, not {self.threshold}")

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """The image's, and one channel."""
        check_picture(shape)
        return shape, (1, *shape[1:])

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """Images `(N, C, H, W)` and their edges, `(N, 1, H, W)`."""
        steep = edges(x)
        if self.threshold is None:
            drawn = (self.strength * steep).clamp(max=1)
        else:
            drawn = (steep > self.threshold).to(x.dtype)
        return Batch(x, drawn * 2 - 1)
