"""Stacked MNIST: three digits in one picture, a thousand modes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.dataset.density import check_at_least
from gan_cli.dataset.mnist_files import FAMILY
from gan_cli.dataset.source import Resident, check_choice
from gan_cli.randomness import generator

SPLITS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
"""Which of MNIST's splits the digits are drawn from."""

MODES = 1000
"""Triples of digits that there are."""

CLASSES = tuple(f"{number:03}" for number in range(MODES))
"""The digits in red, green and blue."""


@dataclass(frozen=True, eq=False)
class Stacked(Resident):
    """Triples of digits in memory.

    digits: MNIST's training images, from which a judge learns to read each colour by itself.
    """

    digits: Resident | None = None


@dataclass(frozen=True)
class StackedMNIST:
    """Three digits of MNIST as red, green and blue, 3×28×28, of 1000 classes, 000 to 999.

    Metz et al. 2016, arXiv 1611.02163, section 3.3.1. `count` triples are drawn once, with
    replacement, by `seed` alone: 128,000 as in Srivastava et al. 2017, arXiv 1705.07761, and Lin et
    al. 2018, arXiv 1712.04086. `split` says from which images: the 60,000 of MNIST's `train`, as in
    the code of Kumar et al. 2019, arXiv 1901.08508; the 10,000 of `test`; or `all` 70,000, as in
    that of Lin et al. 128,000 take 301 MB of memory.
    """

    root: str = "~/.cache/gan"
    split: str = "train"
    count: int = 128_000
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("split", self.split, SPLITS)
        check_at_least(1, "count", self.count)

    def load(self) -> Stacked:
        """The triples; MNIST is read from ROOT/MNIST/raw, downloaded there on first use."""
        parts = {"train", *SPLITS[self.split]}
        digits = {part: FAMILY.load(self.root, part) for part in parts}
        chosen = [digits[part] for part in SPLITS[self.split]]
        images = torch.cat([part.images for part in chosen])
        named = [part.labels for part in chosen if part.labels is not None]
        draw = generator("stacked", self.split, self.seed)
        triples = torch.randint(len(images), (self.count, 3), generator=draw)
        whole = Resident.of(stacked(images, triples), number(torch.cat(named)[triples]), CLASSES)
        return Stacked(
            whole.images, whole.labels, CLASSES, whole.fingerprint, digits=digits["train"]
        )


def stacked(images: Tensor, triples: Tensor) -> Tensor:
    """Images in three colours, `(N, 1, H, W), (n, 3) -> (n, 3, H, W)`, by the numbers of each."""
    return images[:, 0][triples]


def number(digits: Tensor) -> Tensor:
    """The number that three digits are read as, red first, `(n, 3) -> (n,)`."""
    return digits @ torch.tensor([100, 10, 1])
