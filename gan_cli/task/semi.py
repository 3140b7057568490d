"""A classifier from few labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_cli import randomness
from gan_cli.batch import Batch
from gan_cli.dataset.source import Feed, Resident, Source
from gan_cli.errors import UserMistake
from gan_cli.space import Space
from gan_cli.task import Classless


@dataclass(frozen=True)
class Semi:
    """Samples like the data, and few of the data's labels, from which D learns to classify.

    Salimans et al. 2016, arXiv 1606.03498, section 5. `labelled` samples have a label, as many of
    each class as of any other, chosen by `seed`; a batch is for `share` of them, and for the rest
    of all samples, whose labels are hidden (-1).

    Needs: a data set with labels, and auxiliary=semi, which learns them.
    Trouble: D knows the labelled samples by heart: a smaller task.share, or augment.
    """

    labelled: int = 100
    share: float = 0.125
    seed: int = 0

    def __post_init__(self) -> None:
        if self.labelled < 1:
            raise ValueError(f"labelled is a number of samples, 1 or more, not {self.labelled}")
        if not 0 < self.share < 1:
            raise ValueError(f"share is above 0 and below 1, not {self.share}")

    def space(self, source: Source) -> Space:
        """Samples of the data's shape; ValueError where not so many labels are to be had."""
        if len(source.classes) < 2 or not isinstance(source, _Listed) or source.labels is None:
            raise ValueError(
                "it needs labels, and these data have none: dataset=digits, or a folder with one "
                "sub-folder a class"
            )
        each = -(-self.labelled // len(source.classes))
        counts = torch.bincount(source.labels, minlength=len(source.classes))
        if int(counts.min()) < each:
            scarce = source.classes[int(counts.argmin())]
            most = int(counts.min()) * len(source.classes)
            raise ValueError(
                f"{each} samples of a class are to keep their label, and there are "
                f"{int(counts.min())} of {scarce}: task.labelled={most} or less"
            )
        return Space(source.shape, kinds=source.classes)

    def take(self, source: Source) -> Source:
        """The samples with few of their labels."""
        assert isinstance(source, _Listed)
        return _Few(source, self)

    def chosen(self, labels: Tensor, classes: int) -> Tensor:
        """The numbers of the samples that keep their label, sorted, `(N,) -> (labelled,)`.

        The first of each class in a random order: those of fewer labels are among those of more.
        """
        order = torch.randperm(len(labels), generator=randomness.generator("labelled", self.seed))
        mixed = labels[order]
        turn = torch.empty_like(mixed)  # how many of its class came before
        for label in range(classes):
            of_class = mixed == label
            turn[of_class] = torch.arange(int(of_class.sum()))
        first = (turn * classes + mixed).argsort(stable=True)[: self.labelled]
        return order[first].sort().values


class _Indexed(Protocol):
    def __getitem__(self, index: int, /) -> Tensor: ...


@runtime_checkable
class _Listed(Source, Protocol):
    """A source whose images and labels can be asked for by number."""

    @property
    def images(self) -> _Indexed: ...

    @property
    def labels(self) -> Tensor | None: ...

    @property
    def mirror(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class _Few(Classless):
    source: _Listed
    task: Semi

    def known(self) -> Resident:
        """The samples with a label, in memory."""
        source, labels = self.source, self.source.labels
        assert labels is not None
        chosen = self.task.chosen(labels, len(source.classes))
        images = torch.stack([source.images[number] for number in chosen.tolist()])
        return Resident.of(images, labels[chosen], source.classes, source.mirror)

    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        share = math.ceil(self.task.share * batch_size)
        if share >= batch_size:
            raise UserMistake(
                f"batch_size={batch_size} has no room for samples with a label and without: "
                "a larger one, or a smaller task.share"
            )
        known = self.known().open(share, randomness.mix("labelled", seed), device)
        return _Both(known, self.source.open(batch_size - share, seed, device))


class _Both:
    """Samples with a label, spread evenly over a batch of others."""

    def __init__(self, known: Feed, rest: Feed):
        self._known, self._rest, self.where = known, rest, rest.where

    def __call__(self, i: int) -> Batch:
        known, rest = self._known(i), self._rest(i)
        assert known.c is not None
        hidden = known.c.new_full((len(rest),), -1)
        place = _spread(len(known), len(rest)).to(known.c.device)
        x, c = torch.cat([known.x, rest.x]), torch.cat([known.c, hidden])
        return Batch(x[place], c[place])


def _spread(some: int, others: int) -> Tensor:
    """An order of `some` and then `others` in which no stretch has more than its share of either.

    So the parts of a batch that is accumulated, and the packs of a D, are like the whole.
    """
    rank = torch.cat([(torch.arange(n) + 0.5) / n for n in (some, others)])
    return rank.argsort(stable=True)
