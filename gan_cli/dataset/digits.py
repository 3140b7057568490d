"""Handwritten digits of 8×8 pixels, embedded."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_cli.dataset.source import Resident, check_choice

HELD_OUT = 5
"""Every fifth digit is of the test split."""

SPLITS = {
    "all": lambda i: i >= 0,
    "train": lambda i: i % HELD_OUT != HELD_OUT - 1,
    "test": lambda i: i % HELD_OUT == HELD_OUT - 1,
}


@dataclass(frozen=True)
class Digits:
    """1797 handwritten digits, 1×8×8, with labels; they come with scikit-learn.

    Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI; the test part.
    `split`: all 1797, the 1438 of train, or every fifth one, the 359 of test.
    """

    split: str = "all"

    def __post_init__(self) -> None:
        check_choice("split", self.split, SPLITS)

    def load(self) -> Resident:
        """The digits, their values 0 to 16 stretched to 0 to 255."""
        table = torch.from_numpy(_table())
        table = table[SPLITS[self.split](torch.arange(len(table)))]
        images = table[:, :-1].reshape(-1, 8, 8).mul(255 / 16).round().to(torch.uint8)
        labels = table[:, -1].long()
        return Resident.of(images[:, None], labels, tuple("0123456789"))


def _table() -> NDArray[np.float64]:
    """The pixels of each digit, and which it is, `(1797, 65)`, from scikit-learn's own file.

    The file is read without the library, which takes half a second to import.
    """
    library = find_spec("sklearn")
    place = Path(library.origin if library and library.origin else "").parent
    try:
        with gzip.open(place / "datasets/data/digits.csv.gz", "rt") as file:
            return np.loadtxt(file, delimiter=",")
    except OSError:  # it has moved
        from sklearn.datasets import load_digits

        raw = load_digits()
        return np.column_stack([raw.data, raw.target])
