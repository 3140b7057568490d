"""Kuzushiji-MNIST."""

from __future__ import annotations

from dataclasses import dataclass

from gan_cli.dataset.idx import PARTS, Family
from gan_cli.dataset.source import Resident, check_choice

FAMILY = Family("KMNIST", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"), {})


@dataclass(frozen=True)
class KMNIST:
    """Cursive Japanese characters, 1×28×28, with labels: 60000 to train on and 10000 to test on.

    Clanuwat et al. 2018, arXiv 1812.01718.
    """

    root: str = "~/.cache/gan"
    split: str = "train"

    def __post_init__(self) -> None:
        check_choice("split", self.split, PARTS)

    def load(self) -> Resident:
        """The split, from ROOT/KMNIST/raw, downloaded there on first use."""
        return FAMILY.load(self.root, self.split)
