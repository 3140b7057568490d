"""Tasks: what is generated, given what.

A task takes a source of samples and gives one of samples with conditions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_cli import randomness
from gan_cli.batch import Batch
from gan_cli.dataset.source import Feed, Source
from gan_cli.space import Shape, Space


class Task(Protocol):
    """What a generator is asked for."""

    def space(self, source: Source) -> Space:
        """What is made and what is given; ValueError when these data can't serve, and what can."""
        ...

    def take(self, source: Source) -> Source:
        """The samples as this task wants them: batches of x and their conditions c."""
        ...


@runtime_checkable
class Derived(Protocol):
    """A task whose conditions are images, made from the samples themselves.

    Frozen, its fields plain numbers and words: they are written into every file.
    """

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Of data of that shape: the shape of what is made, and of what is given; ValueError."""
        ...

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """Samples x and conditions c from images of the data `(N, C, H, W)` in [-1, 1].

        What is random in it comes from the CPU generator alone.
        """
        ...

    def reference(self, c: Tensor) -> Tensor | None:
        """An answer without learning, such as bicubic interpolation, `(N, …)`; None if there is
        none."""
        ...

    def seen(self, c: Tensor) -> Tensor:
        """Conditions as pictures of 1 or 3 channels, `(N, C, H, W)`, to be looked at."""
        ...

    def read(self, x: Tensor) -> Tensor:
        """Conditions c from a user's own pictures, `(N, C, H, W)` of the size and the channels
        of `seen`; where a condition is more than a picture, what belongs to it is filled in."""
        ...


def answered(task: Task | Derived) -> bool:
    """Whether a task on images knows the right answers; one without pairs may not."""
    return bool(getattr(task, "known", True))


@dataclass(frozen=True, eq=False)
class Classless:
    """Another source's samples, without their classes; how they are opened is the task's own."""

    source: Source

    @property
    def shape(self) -> Shape:
        """The shape of a sample."""
        return self.source.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the samples, in hex."""
        return self.source.fingerprint

    @property
    def length(self) -> int | None:
        """How many samples there are."""
        return self.source.length

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the samples were read."""
        return self.source.notes


@dataclass(frozen=True, eq=False)
class Pairs:
    """A source of samples and image conditions, derived from another source's samples."""

    source: Source
    task: Derived

    @property
    def shape(self) -> Shape:
        """The shape of what is made."""
        return self.task.shapes(self.source.shape)[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """None: the conditions are images."""
        return ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the data and of how they are paired, in hex."""
        return hashlib.sha256(f"{self.source.fingerprint} {self.task}".encode()).hexdigest()

    @property
    def length(self) -> int | None:
        """How many images there are to make pairs of."""
        return self.source.length

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the samples were read."""
        return self.source.notes

    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        """Batches of pairs."""
        return _Paired(self, batch_size, seed, device)


class _Paired:
    def __init__(self, pairs: Pairs, batch_size: int, seed: int, device: torch.device):
        self._task, self._seed = pairs.task, seed
        self._feed = pairs.source.open(batch_size, seed, device)
        self.where = self._feed.where

    def __call__(self, i: int) -> Batch:
        return self._task.pair(self._feed(i).x, randomness.generator("pair", self._seed, i))


def paired_space(task: Derived, source: Source) -> Space:
    """The space of a task on images; ValueError where the samples are none."""
    if len(source.shape) != 3:
        raise ValueError(
            f"it makes images from images, and a sample here has shape {source.shape}: "
            "dataset=mnist, or dataset=folder"
        )
    made, given = task.shapes(source.shape)
    return Space(made, given=given)


def with_answers(task: Task, source: Source) -> Source:
    """The samples of a task; of one that learns from no answers but knows them, with these."""
    if isinstance(task, Derived) and answered(task) and not task.space(source).paired:
        return Pairs(source, task)
    return task.take(source)
