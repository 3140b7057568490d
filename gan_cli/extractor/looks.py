"""The extractors that need no file: a judge, an untrained network, and the samples themselves."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, leaky_relu, linear

from gan_cli.dataset.source import Source
from gan_cli.errors import UserMistake
from gan_cli.extractor import is_image
from gan_cli.metric import judge_net
from gan_cli.metric.blocks import through
from gan_cli.metric.judge import Judge, unfit
from gan_cli.metric.judge_stack import StackedJudge
from gan_cli.randomness import generator

MOST = 4096
"""Numbers of a sample that is its own feature, at most."""

SMALL = 4
"""Pixels of a side that convolutions of stride 2 come down to, or below."""

FIRST, WIDEST = 32, 128
"""Channels of the first convolution, and of any."""

SLOPE = 0.2


@dataclass(frozen=True, eq=False)
class Learnt:
    """What the judge of the data sees, and what it takes images for.

    judge: the one that has learnt; look: the one that is asked, which of stacked digits reads each
    colour by the judge of single ones.
    """

    judge: Judge
    look: Judge | StackedJudge
    shape: tuple[int, ...]
    name: str = "judge"

    @classmethod
    def of(cls, source: Source, seed: int, device: torch.device) -> Learnt:
        """The judge of these data, trained if it isn't kept; UserMistake without labels."""
        if stacked := StackedJudge.of(source, seed):
            return cls(stacked.digit, stacked.on(device), source.shape)
        if reason := unfit(source):
            other = "extractor=random" if is_image(source.shape) else "extractor=raw"
            raise UserMistake(f"{reason}; or {other}")
        judge = Judge.of(source, seed)
        return cls(judge, judge.on(device), source.shape)

    @property
    def sha256(self) -> str:
        """Of the judge's weights, and the version of its recipe."""
        return _sha(f"judge {judge_net.RECIPE} {self.shape} {self.judge.sha256}")

    @property
    def resize(self) -> str:
        """None, but large images are shrunk."""
        height, width = self.judge.net.size
        return "none" if self.shape[1:] == (height, width) else f"{height}x{width} by area"

    @property
    def about(self) -> str:
        """How good the judge is, and what happened to its file."""
        return "; ".join([self.judge.said, *self.judge.notes])

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the data."""
        return self.look.classes

    def features(self, x: Tensor) -> Tensor:
        """`(N, C, H, W) -> (N, d)`; ValueError for another shape than the data have."""
        _check(x, self.shape)
        return self.look.features(x)

    def probabilities(self, x: Tensor) -> Tensor:
        """`(N, C, H, W) -> (N, K)`; ValueError for another shape than the data have."""
        _check(x, self.shape)
        return self.look.probabilities(x)


@dataclass(frozen=True, eq=False)
class Untrained:
    """What a convolutional network sees whose weights were drawn and never trained.

    Convolutions of stride 2 down to 4 pixels a side, then one linear layer.
    """

    shape: tuple[int, ...]
    weights: tuple[Tensor, ...]
    seed: int
    name: str = "random"
    resize: str = "none"
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source, seed: int, width: int, device: torch.device) -> Untrained:
        """The network for these images, with `width` features; UserMistake for points."""
        if not is_image(source.shape):
            raise UserMistake(
                f"extractor=random is for images, and a sample of these data has shape "
                f"{source.shape}: extractor=raw"
            )
        weights = tuple(w.to(device) for w in _drawn(source.shape, seed, width))
        return cls(source.shape, weights, seed)

    @property
    def sha256(self) -> str:
        """Of the weights, and the shape that they are for."""
        sha = hashlib.sha256(f"untrained 1 {self.shape}".encode())
        for weight in self.weights:
            sha.update(weight.cpu().numpy().tobytes())
        return sha.hexdigest()

    @property
    def about(self) -> str:
        """What it is."""
        return f"{len(self.weights[-1])} features of a network that was never trained"

    def features(self, x: Tensor) -> Tensor:
        """`(N, C, H, W) -> (N, width)`; ValueError for another shape than the data have."""
        _check(x, self.shape)
        return through(self._see, x, self.weights[0].device)

    def probabilities(self, x: Tensor) -> Tensor:
        """ValueError: it was never told of classes."""
        raise ValueError("a network that was never trained knows no classes: extractor=judge")

    def _see(self, x: Tensor) -> Tensor:
        *kernels, last = self.weights
        for kernel in kernels:
            x = leaky_relu(conv2d(x, kernel, stride=2, padding=1), SLOPE)
        return linear(x.flatten(1), last)


@dataclass(frozen=True, eq=False)
class Flat:
    """The samples themselves, each a row of numbers."""

    shape: tuple[int, ...]
    name: str = "raw"
    sha256: str = hashlib.sha256(b"raw").hexdigest()
    resize: str = "none"
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source) -> Flat:
        """For these data; UserMistake where samples are large."""
        if math.prod(source.shape) > MOST:
            raise UserMistake(
                f"extractor=raw is for samples of {MOST:,} numbers at most, and these have "
                f"{math.prod(source.shape):,}: extractor=auto"
            )
        return cls(source.shape)

    @property
    def about(self) -> str:
        """What it is."""
        return f"the samples themselves, {math.prod(self.shape):,} numbers each"

    def features(self, x: Tensor) -> Tensor:
        """`(N, …) -> (N, d)`; ValueError for another shape than the data have."""
        _check(x, self.shape)
        return x.detach().float().cpu().flatten(1)

    def probabilities(self, x: Tensor) -> Tensor:
        """ValueError: nobody is asked for classes."""
        raise ValueError("nothing tells classes apart in the samples themselves: extractor=judge")


def _drawn(shape: tuple[int, ...], seed: int, width: int) -> list[Tensor]:
    """Normal weights that keep the scale of what they are given (He et al. 2015,
    arXiv 1502.01852), drawn on the CPU."""
    draw = generator("untrained", seed, width)
    channels, *sides = shape
    weights: list[Tensor] = []
    out = FIRST
    while not weights or max(sides) > SMALL:
        scale = math.sqrt(2 / (1 + SLOPE**2) / (9 * channels))
        weights.append(torch.randn(out, channels, 3, 3, generator=draw) * scale)
        channels, out = out, min(2 * out, WIDEST)
        sides = [math.ceil(side / 2) for side in sides]
    flat = channels * math.prod(sides)
    return [*weights, torch.randn(width, flat, generator=draw) / math.sqrt(flat)]


def _check(x: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(x.shape[1:]) != shape:
        raise ValueError(f"samples of shape {shape} are expected, not {tuple(x.shape[1:])}")


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
