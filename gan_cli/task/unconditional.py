"""No condition."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from gan_cli.batch import Batch
from gan_cli.dataset.source import Feed, Source
from gan_cli.space import Space
from gan_cli.task import Classless


@dataclass(frozen=True)
class Unconditional:
    """Samples like the data, whatever they show.

    Goodfellow et al. 2014, arXiv 1406.2661. Labels, where there are any, are not read.

    Needs: nothing.
    Trouble: you want one kind of sample: task=label.
    """

    def space(self, source: Source) -> Space:
        """Samples of the data's shape; ValueError where a sample is no single picture."""
        if frames := getattr(source, "frames", None):
            raise ValueError(f"a sample here is {frames} frames in a row: task=frames")
        if getattr(source, "side_by_side", False):
            raise ValueError("a sample here is two pictures side by side: task=translate")
        return Space(source.shape)

    def take(self, source: Source) -> Source:
        """The samples without their labels."""
        return _Unlabelled(source)


@dataclass(frozen=True, eq=False)
class _Unlabelled(Classless):
    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        return _Bare(self.source.open(batch_size, seed, device))


class _Bare:
    def __init__(self, feed: Feed):
        self._feed, self.where = feed, feed.where

    def __call__(self, i: int) -> Batch:
        return dataclasses.replace(self._feed(i), c=None)
