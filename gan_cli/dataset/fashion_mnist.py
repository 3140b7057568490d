"""Fashion-MNIST."""

from __future__ import annotations

from dataclasses import dataclass

from gan_cli.dataset.idx import PARTS, Family
from gan_cli.dataset.source import Resident, check_choice

FAMILY = Family(
    "FashionMNIST",
    (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    {},
)


@dataclass(frozen=True)
class FashionMNIST:
    """Articles of clothing, 1×28×28, with labels: 60000 to train on and 10000 to test on.

    Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747.
    """

    root: str = "~/.cache/gan"
    split: str = "train"

    def __post_init__(self) -> None:
        check_choice("split", self.split, PARTS)

    def load(self) -> Resident:
        """The split, from ROOT/FashionMNIST/raw, downloaded there on first use."""
        return FAMILY.load(self.root, self.split)
