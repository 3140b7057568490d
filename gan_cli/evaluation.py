"""An examination: a generator, or a set of samples, held against real ones; with what it is worth.

Each figure has an interval, and beside it that of real samples which nobody has learnt from.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gan_cli import randomness
from gan_cli.batch import Batch
from gan_cli.dataset.source import Endless, Source
from gan_cli.errors import UserMistake
from gan_cli.metric import Exam, Extractor, Metric, Sight
from gan_cli.metric.measure import JACKKNIFE, measure, values
from gan_cli.sampler import Sampler
from gan_cli.scores import Protocol, Scores
from gan_cli.task import Derived, Task, answered, with_answers

FEWEST = 20
"""Samples of each kind, at least: two a block."""

ROOM = 8 << 30
"""Bytes of samples held in memory, at most."""

TOGETHER = 500
"""Samples that are read at once."""

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Data:
    """What samples are held against: real ones that G may learn from, and those it may not.

    name and split are what the protocol calls them.
    """

    source: Source
    held: Source | None
    task: Task
    name: str
    split: str


@dataclass(frozen=True)
class Question:
    """What is asked of how many samples: metrics by name with their settings, and who looks.

    `repeats`: from how many sets of samples the intervals come; 1 for the jackknife of one set.
    """

    metrics: dict[str, Metric]
    settings: dict[str, dict[str, Any]]
    extractor: Extractor
    n: int
    repeats: int = 1


class Examiner:
    """Holds generators and sets of samples against the same real samples.

    The real ones are drawn once, whatever the seed of an examination. UserMistake where there are
    too few, or too many for memory.
    """

    def __init__(self, data: Data, question: Question):
        self.data, self.question = data, question
        self.source: Source = with_answers(data.task, data.source)
        self.n = min(question.n, self.source.length or question.n)
        held = data.held and with_answers(data.task, data.held)
        size = 4 * math.prod(self.source.shape)
        if self.n < FEWEST or question.n < FEWEST:
            raise UserMistake(f"{self.n} samples are too few to measure: {FEWEST} or more")
        most = ROOM // (size * question.repeats)
        if question.n > most:
            raise UserMistake(
                f"{question.n:,} samples of {size:,} bytes don't fit into {ROOM >> 30} GiB: a "
                f"smaller --n, {most:,} at most"
            )
        self.batch = gathered(self.source, self.n)
        self.asked: Batch | None = None  # what is held out
        if held is not None:
            self.asked = gathered(held, min(question.n, held.length or question.n))
        elif self.source.length is None:
            self.asked = gathered(self.source, self.n, seed=1)  # others of those that never end
        self.law = data.source.density if isinstance(data.source, Endless) else None

    @cached_property
    def real(self) -> Sight:
        """The reference."""
        return Sight(self.batch.x, _labels(self.batch), self.question.extractor)

    @cached_property
    def held(self) -> Sight | None:
        """Real samples that G has not learnt from."""
        asked = self.asked
        return None if asked is None else Sight(asked.x, _labels(asked), self.question.extractor)

    def refusals(self, sampler: Sampler) -> dict[str, str]:
        """Why some of the metrics can't be asked of that generator; nothing is generated."""
        x = torch.zeros(1, *self.source.shape).expand(self.question.n, *self.source.shape)
        c = self._labels_for(sampler, self.question.n)
        return self._refusals(self.exam(Sight(x, c, self.question.extractor), sampler, 0))

    def refusals_of(self, made: Batch) -> dict[str, str]:
        """Why some of the metrics can't be asked of a set of samples."""
        fake = Sight(made.x, _labels(made), self.question.extractor)
        return self._refusals(self.exam(fake, None, 0))

    def _refusals(self, exam: Exam) -> dict[str, str]:
        told = {name: metric.refuses(exam) for name, metric in self.question.metrics.items()}
        return {name: reason for name, reason in told.items() if reason}

    def without(self, names: Iterable[str]) -> Examiner:
        """The same real samples, and fewer metrics."""
        other = copy.copy(self)
        left = {n: one for n, one in self.question.metrics.items() if n not in {*names}}
        other.question = replace(self.question, metrics=left)
        return other

    def generated(self, sampler: Sampler, seed: int, batch: int = 64) -> Sight:
        """Samples of a generator: of the classes that the real ones have, or answers to images
        that it has not learnt from."""
        n, pairs = self.question.n, self._pairs
        if pairs is None:
            c = self._labels_for(sampler, n)
            return Sight(sampler.sample(n, seed, batch, c), c, self.question.extractor)
        assert pairs.c is not None
        z = sampler.codes(range(len(pairs.c)), seed)
        parts = zip(z.split(batch), pairs.c.split(batch), strict=True)
        x = torch.cat([sampler.generate(*part) for part in parts])
        return Sight(x, None, self.question.extractor)

    def exam(self, fake: Sight, maker: Sampler | None, seed: int) -> Exam:
        """What is put before the metrics."""
        pairs = self._pairs if maker and answered(self.data.task) else None
        return Exam(
            real=self.real,
            fake=fake,
            held=self.held,
            source=None if isinstance(self.data.task, Derived) else self.data.source,
            law=self.law,
            truth=pairs.x if pairs else None,
            maker=maker,
            seed=seed,
        )

    def examine(self, sampler: Sampler, seed: int, batch: int = 64, command: str = "") -> Scores:
        """The scores of a generator."""
        return self._scores(
            lambda at: self.exam(self.generated(sampler, at, batch), sampler, at),
            seed,
            command,
            weights=sampler.origin.weights,
            checkpoint={"sha256": sampler.sha256, "step": sampler.step},
        )

    def examine_set(self, x: Batch, fingerprint: str, seed: int, command: str = "") -> Scores:
        """The scores of a set of samples. UserMistake for repeats: there are no others of it."""
        if self.question.repeats > 1:
            raise UserMistake("--repeats are other samples of a generator: leave it out")
        fake = Sight(x.x, _labels(x), self.question.extractor)
        return self._scores(
            lambda at: self.exam(fake, None, at),
            seed,
            command,
            weights="none",
            checkpoint={"sha256": fingerprint, "step": 0},
        )

    def _scores(
        self,
        exam: Callable[[int], Exam],
        seed: int,
        command: str,
        weights: str,
        checkpoint: dict[str, Any],
    ) -> Scores:
        began, question = time.monotonic(), self.question
        exams = [exam(seed + k) for k in range(question.repeats)]
        figures, refused = measure(question.metrics, exams, self.floors, self._floor_alike)
        return Scores(
            protocol=self.protocol(weights, len(exams[0].fake)),
            figures=figures,
            refused=refused,
            interval=f"95 %, of {len(exams)} repeats" if len(exams) > 1 else JACKKNIFE,
            seed=seed,
            checkpoint=checkpoint | {"weights": weights},
            about={"extractor": question.extractor.about, "floor": self.floor_said},
            command=command,
            seconds=time.monotonic() - began,
        )

    @cached_property
    def floors(self) -> dict[str, float]:
        """The same figures of real samples that G has not learnt from, or of half the real ones
        against the others."""
        exam = self._floor_exam
        return values(self.question.metrics, exam) if exam else {}

    @property
    def floor_said(self) -> str:
        """What the floor is of, in words."""
        if self.held is not None:
            return f"{len(self.held):,} real samples that G has not learnt from"
        exam = self._floor_exam
        return f"two halves of the real samples, {len(exam.fake):,} each" if exam else "none"

    @cached_property
    def _floor_exam(self) -> Exam | None:
        if self.held is not None and len(self.held) >= FEWEST:
            return self.exam(self.held, None, 0)
        half = len(self.real) // 2
        if half < FEWEST:
            return None
        first, second = torch.arange(2 * half).split(half)
        real = self.real.pick(first)
        return replace(self.exam(self.real.pick(second), None, 0), real=real, held=None)

    @property
    def _count(self) -> int:
        """How many samples are measured of a generator."""
        return self.question.n if self._pairs is None else len(self._pairs.x)

    @property
    def _floor_alike(self) -> bool:
        """Whether the floor is of as many samples as are measured."""
        return self.held is not None and len(self.held) >= self.question.n

    @cached_property
    def _pairs(self) -> Batch | None:
        """Images to be answered: held out, where any are."""
        if not isinstance(self.data.task, Derived):
            return None
        return self.asked or self.batch

    def _labels_for(self, sampler: Sampler, n: int) -> Tensor | None:
        """What classes are asked for: those of the real samples, or all equally often.

        In no order, so that every block of the samples holds all of them.
        """
        count, c = len(sampler.space.classes), _labels(self.batch)
        if not count:
            return None
        if c is None or int(c.min()) < 0 or int(c.max()) >= count:
            return torch.randperm(n, generator=randomness.generator("classes")) % count
        return c[torch.arange(n) % len(c)]

    def protocol(self, weights: str, fake: int | None = None) -> Protocol:
        """On what the figures of that many samples depend, besides them."""
        task, extractor = self.data.task, self.question.extractor
        return Protocol(
            data=self.data.name,
            fingerprint=self.source.fingerprint,
            split=self.data.split + ", mirrored" * bool(getattr(self.data.source, "mirror", 0)),
            real=len(self.real),
            fake=self._count if fake is None else fake,
            extractor=extractor.name,
            features=extractor.sha256,
            resize=extractor.resize,
            weights=weights,
            conditions=type(task).__name__.lower(),
            settings=self.question.settings,
        )


def looked_at(data: Data) -> Source:
    """The samples that an extractor is made for: as they are learnt from, labels included."""
    made = with_answers(data.task, data.source)
    return data.source if made.shape == data.source.shape else made


def gathered(source: Source, n: int, seed: int = 0) -> Batch:
    """n samples in an order of their own, none of them twice."""
    each = min(n, TOGETHER)  # or workers would read many times as many ahead
    feed = source.open(each, seed, CPU)
    parts = [feed(i) for i in range(-(-n // each))]
    c = [part.c for part in parts if part.c is not None]
    x = torch.cat([part.x.float() for part in parts])[:n]
    return Batch(x.contiguous(), torch.cat(c)[:n] if c else None)


def _labels(batch: Batch) -> Tensor | None:
    """The labels of a batch, where its conditions are labels and all are known."""
    c = batch.c
    return c if c is not None and c.ndim == 1 and int(c.min()) >= 0 else None
