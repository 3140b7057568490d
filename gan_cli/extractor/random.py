"""Features of a network that was never trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gan_cli.dataset.source import Source
from gan_cli.extractor.looks import Untrained
from gan_cli.metric import Extractor


@dataclass(frozen=True)
class Random:
    """`width` features of a convolutional network whose weights are drawn by `seed`.

    Naeem et al. 2020, arXiv 2002.09797, take features of untrained networks for images unlike those
    of ImageNet; Lee et al. 2022, arXiv 2208.09218, find that they order generators much as trained
    ones do. Theirs is a VGG16; this one has a few convolutions, by the size of the images.

    Needs: images, of any size and number of channels; no labels.
    Trouble: it sees colours and strokes rather than what is shown: extractor=judge with labels.
    """

    seed: int = 0
    width: int = 64

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be 1 or more, not {self.width}")

    def of(self, source: Source, device: torch.device) -> Extractor:
        """The network for images of that shape; UserMistake for points."""
        return Untrained.of(source, self.seed, self.width, device)
