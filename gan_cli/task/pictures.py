"""What tasks on images share: their form, and the arithmetic of pictures in [-1, 1]."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from gan_cli.batch import Batch
from gan_cli.dataset.source import Source
from gan_cli.space import Shape, Space
from gan_cli.task import Pairs, paired_space


class FromImages(ABC):
    """A task whose conditions are images made from the samples, seen and read as they are."""

    def space(self, source: Source) -> Space:
        """What is made of what; ValueError when these data can't serve."""
        return paired_space(self, source)

    def take(self, source: Source) -> Source:
        """Batches of pairs."""
        return Pairs(source, self)

    @abstractmethod
    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Of data of that shape: the shape of what is made, and of what is given; ValueError."""

    @abstractmethod
    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """Samples x and conditions c from images of the data `(N, C, H, W)`."""

    def reference(self, c: Tensor) -> Tensor | None:
        """There is no answer without learning."""
        return None

    def seen(self, c: Tensor) -> Tensor:
        """The conditions, which are pictures already, `(N, C, H, W)`."""
        return c

    def read(self, x: Tensor) -> Tensor:
        """The pictures, which are conditions already, `(N, C, H, W)`."""
        return x


class Futures(NamedTuple):
    """The frames given `(N, past·C, H, W)`, and the next, straight on, left or right, `(N, …)`."""

    c: Tensor
    straight: Tensor
    left: Tensor
    right: Tensor


def check_picture(shape: Shape) -> None:
    """Raise ValueError unless images of this shape are gray or coloured, without opacity."""
    if shape[0] not in (1, 3):
        raise ValueError(
            f"it works on gray or coloured images, and these have {shape[0]} channels: "
            "dataset.channels=3, or 1"
        )


def gray(x: Tensor) -> Tensor:
    """Luma, `(N, 1 or 3, H, W) -> (N, 1, H, W)`; ITU-R BT.601, section 2.5.1."""
    if x.shape[1] == 1:
        return x
    weights = x.new_tensor([0.299, 0.587, 0.114])
    return (x * weights[:, None, None]).sum(1, keepdim=True)


def edges(x: Tensor) -> Tensor:
    """How steep images are, 0 to 1, by Sobel's masks, `(N, C, H, W) -> (N, 1, H, W)`.

    Of the steepest channel; 1 is an upright border between black and white.
    """
    n, channels, height, width = x.shape
    across = x.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    masks = torch.stack([across, across.T])[:, None]
    single = pad(x.reshape(n * channels, 1, height, width), (1, 1, 1, 1), mode="replicate")
    steep = conv2d(single, masks).square().sum(1).sqrt()
    return steep.view(n, channels, height, width).amax(1, keepdim=True).clamp(max=1)


def blur(x: Tensor, std: float) -> Tensor:
    """Images under a Gaussian of that many pixels, `(N, C, H, W) -> (N, C, H, W)`."""
    n, channels, height, width = x.shape
    reach = math.ceil(3 * std)
    places = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    bell = torch.exp(-places.square() / (2 * std**2))
    bell = bell / bell.sum()
    single = x.reshape(n * channels, 1, height, width)
    single = conv2d(pad(single, (reach, reach, 0, 0), mode="replicate"), bell.view(1, 1, 1, -1))
    single = conv2d(pad(single, (0, 0, reach, reach), mode="replicate"), bell.view(1, 1, -1, 1))
    return single.view(n, channels, height, width)


def abreast(frames: Tensor, count: int) -> Tensor:
    """Frames stacked in channels, now side by side, `(N, count·C, H, W) -> (N, C, H, count·W)`."""
    return torch.cat(frames.chunk(count, 1), 3)


def stacked(x: Tensor, count: int) -> Tensor:
    """What `abreast` undoes, `(N, C, H, count·W) -> (N, count·C, H, W)`."""
    return torch.cat(x.chunk(count, 3), 1)
