"""MNIST."""

from __future__ import annotations

from dataclasses import dataclass

from gan_cli.dataset.idx import PARTS
from gan_cli.dataset.mnist_files import FAMILY
from gan_cli.dataset.source import Resident, check_choice


@dataclass(frozen=True)
class MNIST:
    """Handwritten digits, 1×28×28, with labels: 60000 to train on and 10000 to test on.

    LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document recognition.
    """

    root: str = "~/.cache/gan"
    split: str = "train"

    def __post_init__(self) -> None:
        check_choice("split", self.split, PARTS)

    def load(self) -> Resident:
        """The split, from ROOT/MNIST/raw, downloaded there on first use."""
        return FAMILY.load(self.root, self.split)
