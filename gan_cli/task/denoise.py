"""Clean images from noisy ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.dataset.source import moved
from gan_cli.space import Shape
from gan_cli.task.pictures import FromImages, blur, check_picture


@dataclass(frozen=True)
class Denoise(FromImages):
    """x is an image, c the same under Gaussian noise, cut off at black and white.

    White noise of deviation `std`, where black is -1 and white 1: 0.4 is σ = 51 of 255, near the
    strongest that Zhang et al. 2016, arXiv 1608.03981, section 4, take away.

    Needs: a model that makes images from images: model=unet.
    Trouble: detail that is gone with the noise: less weight on term=l1 or l2.
    """

    std: float = 0.4

    def __post_init__(self) -> None:
        if self.std <= 0:
            raise ValueError(f"std must be positive, not {self.std}")

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """The image's, twice."""
        check_picture(shape)
        return shape, shape

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """Images and noisy ones, both `(N, C, H, W)`."""
        noise = moved(torch.randn(x.shape, generator=generator), x.device)
        return Batch(x, (x + self.std * noise).clamp(-1, 1))

    def reference(self, c: Tensor) -> Tensor:
        """A Gaussian blur of one pixel, `(N, C, H, W)`."""
        return blur(c, 1.0)
