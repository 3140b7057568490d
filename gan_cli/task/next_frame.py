"""Moving pictures made of still ones, and their next frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.dataset.source import moved
from gan_cli.space import Shape
from gan_cli.task.pictures import FromImages, Futures, abreast, check_picture, stacked

BACKGROUND = -1.0
"""What is behind the picture that moves."""


@dataclass(frozen=True)
class NextFrame(FromImages):
    """The picture moves over a larger, black one: c are `past` frames of it, x is the next.

    Moving MNIST of Srivastava et al. 2015, arXiv 1502.04681, section 4, for any images and with
    one of them at a time: any direction, `speed` whole pixels a frame at most along each side,
    turned back where it would leave the `canvas` (its side in pixels; null: twice those of the
    image). With `turn`, that share of them moves straight on in the given frames and then turns
    left or right by 90 degrees, which of the two nobody can know: the fork.

    Needs: a model that makes images from images: model=unet.
    Trouble: two faint pictures at a fork are the mean of both futures: that is what term=l1 and
    method=regression give; method=gan with less weight on terms gives one of them.
    """

    past: int = 2
    canvas: int | None = None
    speed: int = 2
    turn: float = 0.0

    def __post_init__(self) -> None:
        if self.past < 1 or self.speed < 1:
            raise ValueError(f"past and speed are 1 or more, not {self.past} and {self.speed}")
        if not 0 <= self.turn <= 1:
            raise ValueError(f"turn is a share of the samples, 0 to 1, not {self.turn}")
        if self.turn and self.past < 2:
            raise ValueError("one frame has no direction to turn from: past=2")

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """The canvas, and `past` of them; ValueError where there is no room to move."""
        check_picture(shape)
        room = max(self.past, 2) * self.speed
        for side, free in zip(shape[1:], self._free(shape), strict=True):
            if free < room:
                raise ValueError(
                    f"images of {shape[1]}×{shape[2]} can't move by {self.speed} pixels a frame on "
                    f"such a canvas: task.canvas={side + room} or more, or a smaller task.speed"
                )
        sides = self._canvas(shape)
        return (shape[0], *sides), (shape[0] * self.past, *sides)

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """The next frame `(N, C, H, W)`, and those before, `(N, past·C, H, W)`."""
        coins = torch.rand(2, len(x), generator=generator)
        path, next_steps = self._paths(x, generator)
        turns, right = coins[0] < self.turn, (coins[1] < 0.5).long()
        chosen = torch.where(turns, 1 + right, 0)
        last = next_steps[chosen, torch.arange(len(x))]
        return Batch(self._put(x, last), self._film(x, path))

    def futures(self, x: Tensor, generator: torch.Generator) -> Futures:
        """The frames given of images `(N, C, h, w)`, and every frame that could come next."""
        torch.rand(2, len(x), generator=generator)  # as `pair` does: the same frames
        path, next_steps = self._paths(x, generator)
        return Futures(self._film(x, path), *(self._put(x, end) for end in next_steps))

    def reference(self, c: Tensor) -> Tensor:
        """The last frame given, again, `(N, C, H, W)`."""
        return c[:, -(c.shape[1] // self.past) :]

    def seen(self, c: Tensor) -> Tensor:
        """The frames from left to right, `(N, C, H, past·W)`."""
        return abreast(c, self.past)

    def read(self, x: Tensor) -> Tensor:
        """Pictures of frames from left to right, `(N, C, H, past·W) -> (N, past·C, H, W)`."""
        return stacked(x, self.past)

    def _canvas(self, shape: Shape) -> tuple[int, int]:
        if self.canvas is None:
            return 2 * shape[1], 2 * shape[2]
        return self.canvas, self.canvas

    def _free(self, shape: Shape) -> tuple[int, int]:
        canvas = self._canvas(shape)
        return canvas[0] - shape[1], canvas[1] - shape[2]

    def _paths(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Corners (y, x) in the frames given, `(past, N, 2)`, and next: straight, left, right."""
        angle = 2 * math.pi * torch.rand(len(x), generator=generator)
        velocity = (self.speed * torch.stack([angle.sin(), angle.cos()], 1)).round().long()
        places = torch.rand(len(x), 2, generator=generator, dtype=torch.float64)
        free = torch.tensor(self._free(tuple(x.shape[1:])))
        low, high = torch.zeros_like(velocity), free.expand_as(velocity)
        if self.turn:  # nothing turns the picture back but the fork
            sideways = _left(velocity)
            ends = (self.past - 1) * velocity + torch.stack([velocity, sideways, -sideways])
            low, high = -ends.amin(0).clamp(max=0), free - ends.amax(0).clamp(min=0)
        corner = low + (places * (high - low + 1)).floor().long()
        path = [corner]
        for _ in range(self.past - 1):
            corner, velocity = _onwards(corner, velocity, free)
            path.append(corner)
        straight = _onwards(corner, velocity, free)[0]
        left, right = (_onwards(corner, s * _left(velocity), free)[0] for s in (1, -1))
        return torch.stack(path), torch.stack([straight, left, right])

    def _film(self, x: Tensor, path: Tensor) -> Tensor:
        return torch.cat([self._put(x, corner) for corner in path], 1)

    def _put(self, x: Tensor, corner: Tensor) -> Tensor:
        """Images with their upper left corners at these places of the canvas."""
        sides, inside, places = self._canvas(tuple(x.shape[1:])), [], []
        for axis, (side, length) in enumerate(zip(sides, x.shape[2:], strict=True)):
            place = torch.arange(side) - corner[:, axis, None]
            inside.append((place >= 0) & (place < length))
            places.append(moved(place.clamp(0, length - 1), x.device))
        number = torch.arange(len(x), device=x.device)[:, None, None]
        frame = x[number, :, places[0][:, :, None], places[1][:, None, :]].permute(0, 3, 1, 2)
        there = moved(inside[0][:, None, :, None] & inside[1][:, None, None, :], x.device)
        return torch.where(there, frame, BACKGROUND)


def _left(velocity: Tensor) -> Tensor:
    """Turned left by 90 degrees as seen, where y points down, `(N, 2) -> (N, 2)`."""
    return torch.stack([-velocity[:, 1], velocity[:, 0]], 1)


def _onwards(corner: Tensor, velocity: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
    """One step on, turned back along the sides that it would cross."""
    out = (corner + velocity < 0) | (corner + velocity > free)
    velocity = torch.where(out, -velocity, velocity)
    return corner + velocity, velocity
