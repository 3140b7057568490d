"""The judge of stacked digits: each colour is read by itself, by the judge of single ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from gan_cli.dataset.source import Source
from gan_cli.dataset.stacked_mnist import Stacked
from gan_cli.metric.judge import Judge


@dataclass(frozen=True, eq=False)
class StackedJudge:
    """What a judge of single digits sees in the colours of images `(N, C, H, W)`, in [-1, 1].

    As in Lin et al. 2018, arXiv 1712.04086: a classifier of one digit, asked of each colour. A
    number has the digits that are the likeliest, so that 10 classes of a colour are 1000 of three.
    """

    digit: Judge
    classes: tuple[str, ...]

    @classmethod
    def of(cls, source: Source, seed: int = 0, cache: Path | None = None) -> StackedJudge | None:
        """The judge of these triples; None for other data. Arguments as those of `Judge.of`."""
        if not isinstance(source, Stacked) or source.digits is None:
            return None
        return cls(Judge.of(source.digits, seed, cache), source.classes)

    @property
    def accuracy(self) -> float:
        """The share of single digits, held out, that it reads right."""
        return self.digit.accuracy

    @property
    def sha256(self) -> str:
        """Of the weights, in hex."""
        return self.digit.sha256

    def on(self, device: torch.device) -> StackedJudge:
        """The same judge on that device."""
        return replace(self, digit=self.digit.on(device))

    def features(self, x: Tensor) -> Tensor:
        """What it sees in each colour, side by side, `(N, C, H, W) -> (N, 64 C)`."""
        return torch.cat([self.digit.features(colour) for colour in _colours(x)], 1)

    def probabilities(self, x: Tensor) -> Tensor:
        """Of each number, the product of its digits', `(N, C, H, W) -> (N, 10^C)`."""
        first, *rest = (self.digit.probabilities(colour) for colour in _colours(x))
        for each in rest:
            first = (first[:, :, None] * each[:, None]).flatten(1)
        return first

    def labels(self, x: Tensor) -> Tensor:
        """The number that is read in each image, `(N, C, H, W) -> (N,)` int64."""
        number = torch.zeros(len(x), dtype=torch.int64)
        for colour in _colours(x):
            number = number * len(self.digit.classes) + self.digit.labels(colour).cpu()
        return number


def _colours(x: Tensor) -> tuple[Tensor, ...]:
    """Each colour as grey images, `(N, C, H, W)` to C of `(N, 1, H, W)`."""
    return x.split(1, 1)
