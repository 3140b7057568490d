"""The extractor that suits the data."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gan_cli.dataset.source import Source
from gan_cli.extractor import is_image
from gan_cli.extractor.looks import Flat, Learnt, Untrained
from gan_cli.metric import Extractor
from gan_cli.metric.judge import unfit


@dataclass(frozen=True)
class Auto:
    """Points as they are; the judge of images with labels; else an untrained network.

    `seed` and `width` are those of extractor=judge and extractor=random, where it is one of these;
    figures name the one that it is.

    Needs: nothing.
    Trouble: figures that published ones can't be held against: extractor=inception.
    """

    seed: int = 0
    width: int = 64

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be 1 or more, not {self.width}")

    def of(self, source: Source, device: torch.device) -> Extractor:
        """What suits these data."""
        if not is_image(source.shape):
            return Flat.of(source)
        if unfit(source) is None:
            return Learnt.of(source, self.seed, device)
        return Untrained.of(source, self.seed, self.width, device)
