"""Kuzushiji-MNIST."""

from __future__ import annotations

from dataclasses import dataclass

from gan_cli.dataset.idx import PARTS, Family
from gan_cli.dataset.source import Resident, check_choice

FAMILY = Family(
    "KMNIST",
    ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    {},
    {
        "train-images-idx3-ubyte.gz": (
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"
        ),
        "train-labels-idx1-ubyte.gz": (
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"
        ),
    },
)


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
