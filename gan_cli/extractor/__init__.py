"""What turns samples into features, and how it is made for data.

An entry of conf/extractor is a recipe; what it makes is an `Extractor` of gan_cli.metric. Numbers
of unlike extractors can't be compared.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import torch

from gan_cli.dataset.halves import BESIDE
from gan_cli.dataset.source import Source
from gan_cli.metric import Extractor


class Recipe(Protocol):
    """How an extractor is made for data."""

    def of(self, source: Source, device: torch.device) -> Extractor:
        """The extractor for these data, on that device; it may be trained or downloaded now.

        `source` is what the generator learns from, whatever is examined: see `teaching`.
        UserMistake when it can't be for such data, with what to type instead.
        """
        ...


def teaching(dataset: Any) -> Source:
    """What an extractor is made for: of a data set named by its test split, the training split.

    So a judge never learns from the samples that others are held against, and is one and the same
    whichever split is examined.
    """
    learnt = {test: train for train, test in BESIDE.items()}.get(getattr(dataset, "split", ""))
    whole = dataclasses.replace(dataset, split=learnt) if learnt else dataset
    source: Source = whole.load()
    return source


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether a sample of that shape is an image, (channels, height, width)."""
    return len(shape) == 3
