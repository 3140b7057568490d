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
    {
        "train-images-idx3-ubyte.gz": (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte.gz": (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    },
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
