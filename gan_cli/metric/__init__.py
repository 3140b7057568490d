"""What is measured of samples: features, their statistics, a distance; each number with its error.

A metric is a frozen dataclass that looks at an `Exam` and tells figures. Those whose error it
doesn't know itself get one by the jackknife, from the samples alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from gan_cli.dataset.source import Distribution, Source


class Untrue(ValueError):
    """A figure that can't be: it says why, and is told instead of the number."""


class Estimate(NamedTuple):
    """A figure, and its standard error where the metric knows it itself."""

    value: float
    error: float | None = None


@dataclass(frozen=True)
class Figure:
    """What a number is called, and what can be said of it before it is measured.

    better: 1 where more is better, -1 where less is, 0 where neither. It lies between `low` and
    `high`. `floored`: a distance that fresh real samples have as small as it gets, so that one far
    below theirs means copies, or a fault of the evaluation.
    """

    words: str
    better: int
    low: float = float("-inf")
    high: float = float("inf")
    floored: bool = False


class Extractor(Protocol):
    """A network that turns samples into features; what was measured with one can't be compared with
    what was measured with another."""

    @property
    def name(self) -> str:
        """The entry of `conf/extractor/`."""
        ...

    @property
    def sha256(self) -> str:
        """Of its weights and what else its features depend on, in hex."""
        ...

    @property
    def resize(self) -> str:
        """What is done to samples before they are seen: `none`, or the size and the way."""
        ...

    @property
    def about(self) -> str:
        """What the user should know of it, a line: its own accuracy, where it has one."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """What it tells apart; () where it gives no probabilities."""
        ...

    def features(self, x: Tensor) -> Tensor:
        """Of samples `(N, …)`, images in [-1, 1], the features `(N, d)`, float32, on the CPU."""
        ...

    def probabilities(self, x: Tensor) -> Tensor:
        """Of each class, `(N, …) -> (N, K)`, on the CPU; ValueError where `classes` is ()."""
        ...


class Sight:
    """A set of samples as metrics see them: x `(N, …)` float32 on the CPU, images in [-1, 1].

    c are the labels `(N,)` that were asked for, or that the real ones have. What the extractor sees
    in them is computed when it is first asked for, and kept.
    """

    def __init__(self, x: Tensor, c: Tensor | None = None, extractor: Extractor | None = None):
        self._x, self.c, self.extractor = x, c, extractor

    @property
    def x(self) -> Tensor:
        """The samples, `(N, …)`."""
        return self._x

    def __len__(self) -> int:
        return len(self._x)

    @cached_property
    def features(self) -> Tensor:
        """`(N, d)` float32. ValueError where there is no extractor."""
        return self._by().features(self.x)

    @cached_property
    def probabilities(self) -> Tensor:
        """`(N, K)` float32. ValueError where there is no extractor, or it knows no classes."""
        return self._by().probabilities(self.x)

    def pick(self, index: Tensor) -> Sight:
        """Some of the samples, by number; what is known of them is not computed again."""
        return _Picked(self, index)

    def _by(self) -> Extractor:
        if self.extractor is None:
            raise ValueError("nothing extracts features of these samples")
        return self.extractor


class _Picked(Sight):
    """Some samples of a set; they are copied when somebody looks at them."""

    def __init__(self, whole: Sight, index: Tensor):
        c = None if whole.c is None else whole.c[index]
        super().__init__(index, c, whole.extractor)
        self._whole, self._index = whole, index

    @property
    def x(self) -> Tensor:
        return self._whole.x[self._index]

    @cached_property
    def features(self) -> Tensor:
        return self._whole.features[self._index]

    @cached_property
    def probabilities(self) -> Tensor:
        return self._whole.probabilities[self._index]


class Maker(Protocol):
    """The generator itself, for metrics that move in its latent space; a `Sampler` is one."""

    def codes(self, numbers: range, seed: int) -> Tensor:
        """Latent codes `(len(numbers), z_dim)`, a function of the numbers and the seed."""
        ...

    def labels(self, numbers: range) -> Tensor | None:
        """The labels that these samples have, of a generator of classes."""
        ...

    def generate(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """The samples of codes and labels, on the CPU."""
        ...


@dataclass(frozen=True)
class Exam:
    """What is put before a metric.

    real: samples of the data, the reference. fake: what is measured. held: real samples that G has
    not learnt from, where there are any. source: what it has learnt from, whole. law: the
    distribution of the data, where it is known. truth: of answers to images the right ones,
    `(N, …)` beside `fake`. maker: the generator, where there is one at hand. seed: of what a metric
    draws at random.
    """

    real: Sight
    fake: Sight
    held: Sight | None = None
    source: Source | None = None
    law: Distribution | None = None
    truth: Tensor | None = None
    maker: Maker | None = None
    seed: int = 0

    def without(self, block: int, blocks: int) -> Exam:
        """The exam with all but one block of the fakes: sample i is in block i mod `blocks`."""
        keep = torch.arange(len(self.fake)) % blocks != block
        index = keep.nonzero().flatten()
        truth = None if self.truth is None else self.truth[index]
        return replace(self, fake=self.fake.pick(index), truth=truth)


class Metric(Protocol):
    """Figures of an exam."""

    figures: ClassVar[Mapping[str, Figure]]
    """What it tells, by name."""

    def refuses(self, exam: Exam) -> str | None:
        """Why it can't be asked of these samples, or None. Nothing is computed for it."""
        ...

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """Its figures, by the names of `figures` (or some of them). Raises Untrue."""
        ...
