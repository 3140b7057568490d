"""Large images from small ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from gan_cli.batch import Batch
from gan_cli.dataset.source import check_choice
from gan_cli.space import Shape
from gan_cli.task.pictures import FromImages, check_picture


def _area(x: Tensor, factor: int) -> Tensor:
    return avg_pool2d(x, factor)


def _bicubic(x: Tensor, factor: int) -> Tensor:
    size = (x.shape[2] // factor, x.shape[3] // factor)
    small = interpolate(x, size, mode="bicubic", align_corners=False, antialias=True)
    return small.clamp(-1, 1)


WAYS: dict[str, Callable[[Tensor, int], Tensor]] = {"area": _area, "bicubic": _bicubic}
"""How an image is made small: means of squares, or an antialiased cubic."""

FACTORS = (2, 4)


@dataclass(frozen=True)
class SuperResolution(FromImages):
    """x is an image, c the same of fewer pixels: 2 or 4 times fewer along each side.

    Ledig et al. 2016, arXiv 1609.04802, section 3, whose small images are bicubic, as here with
    `way`=bicubic; area takes means of squares, as a sensor does.

    Needs: images whose sides `factor` divides, and a model that makes images from images:
    model=unet.
    Trouble: blurred answers: less weight on term=l1 or l2, which bring them. Texture that isn't
    there: more of it.
    """

    factor: int = 2
    way: str = "area"

    def __post_init__(self) -> None:
        check_choice("factor", self.factor, FACTORS)
        check_choice("way", self.way, WAYS)

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """The image's, and the small one's; ValueError where `factor` doesn't divide its sides."""
        check_picture(shape)
        channels, height, width = shape
        if height % self.factor or width % self.factor:
            sides = [-(-side // self.factor) * self.factor for side in (height, width)]
            fix = "task.factor=2, or " if self.factor > 2 and not (height % 2 or width % 2) else ""
            raise ValueError(
                f"images of {height}×{width} can't be made {self.factor} times smaller: "
                f"{fix}dataset=folder with dataset.size=[{sides[0]},{sides[1]}]"
            )
        return shape, (channels, height // self.factor, width // self.factor)

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """Images `(N, C, H, W)` and small ones, `(N, C, H/f, W/f)`."""
        return Batch(x, WAYS[self.way](x, self.factor))

    def reference(self, c: Tensor) -> Tensor:
        """Bicubic interpolation, `(N, C, h, w) -> (N, C, f·h, f·w)`."""
        large = interpolate(c, scale_factor=self.factor, mode="bicubic", align_corners=False)
        return large.clamp(-1, 1)
