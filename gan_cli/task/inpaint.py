"""Images with a hole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gan_cli.batch import Batch
from gan_cli.dataset.source import check_choice, moved
from gan_cli.randomness import generator as seeded
from gan_cli.space import Shape
from gan_cli.task.pictures import FromImages, check_picture

Size = tuple[int, int]


def _box(n: int, size: Size, share: float, generator: torch.Generator | None) -> Tensor:
    places = torch.rand(n, 2, generator=generator) if generator else torch.full((n, 2), 0.5)
    within = []
    for axis, side in enumerate(size):
        length = min(side, max(1, round(share * side)))
        start = (places[:, axis, None] * (side - length + 1)).floor()
        pixel = torch.arange(side)
        within.append((pixel >= start) & (pixel < start + length))
    return within[0][:, None, :, None] & within[1][:, None, None, :]


def _random(n: int, size: Size, share: float, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return _random(1, size, share, seeded("inpaint")).expand(n, -1, -1, -1)
    return torch.rand(n, 1, *size, generator=generator) < share


def _half(n: int, size: Size, share: float, generator: torch.Generator | None) -> Tensor:
    hole = torch.arange(size[1]) >= size[1] - max(1, round(share * size[1]))
    return hole.expand(n, 1, *size)


MASKS: dict[str, Callable[[int, Size, float, torch.Generator | None], Tensor]] = {
    "box": _box,
    "random": _random,
    "half": _half,
}
"""Where the hole is, `(N, 1, H, W)`: a rectangle anywhere, pixels anywhere, or the right part.

Without a generator, the one of a user's own picture: a rectangle in the middle, and pixels that
are always the same.
"""


@dataclass(frozen=True)
class Inpaint(FromImages):
    """x is an image, c the same with a hole, and a channel that says where: 1 there, else -1.

    Pathak et al. 2016, arXiv 1604.07379, section 3.3. `mask`=box is a rectangle anywhere, `share`
    of each side long; random takes that share of the pixels; half the right side, that share wide.
    In a user's own picture the box is in the middle.

    Needs: a model that makes images from images: model=unet.
    Trouble: a smear in the hole: a larger share of the loss for D (a smaller term.l1.weight).
    """

    mask: str = "box"
    share: float = 0.5

    def __post_init__(self) -> None:
        check_choice("mask", self.mask, MASKS)
        if not 0 < self.share < 1:
            raise ValueError(f"share lies between 0 and 1, not at {self.share}")

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """The image's, and one channel more."""
        check_picture(shape)
        channels, *sides = shape
        return shape, (channels + 1, *sides)

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """Images `(N, C, H, W)` and those with a hole, `(N, C+1, H, W)`."""
        return Batch(x, self._without(x, self._mask(x, generator)))

    def reference(self, c: Tensor) -> Tensor:
        """The hole filled from its border inwards by means of neighbours, `(N, C, H, W)`."""
        known = (c[:, -1:] < 0).to(c.dtype)
        filled = c[:, :-1] * known
        for _ in range(max(c.shape[2:])):  # by one ring of pixels each time
            if bool(known.all()):
                break
            near = avg_pool2d(known, 3, 1, 1)
            means = avg_pool2d(filled, 3, 1, 1) / near.clamp(min=1e-6)
            filled = torch.where(known > 0, filled, means)
            known = (near > 0).to(c.dtype)
        return filled

    def seen(self, c: Tensor) -> Tensor:
        """The picture, gray where the hole is, `(N, C, H, W)`."""
        return c[:, :-1]

    def read(self, x: Tensor) -> Tensor:
        """Pictures with the standard hole cut out, `(N, C+1, H, W)`."""
        return self._without(x, self._mask(x, None))

    def _mask(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        height, width = x.shape[2:]
        return moved(MASKS[self.mask](len(x), (height, width), self.share, generator), x.device)

    def _without(self, x: Tensor, hole: Tensor) -> Tensor:
        return torch.cat([x.masked_fill(hole, 0), hole.to(x.dtype) * 2 - 1], 1)
