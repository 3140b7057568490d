"""Handwritten digits of 8×8 pixels, embedded."""

from __future__ import annotations

from dataclasses import dataclass

import torch

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
        from sklearn.datasets import load_digits  # 0.8 s, only for those who need it

        raw = load_digits()
        keep = SPLITS[self.split](torch.arange(len(raw.target)))
        images = torch.from_numpy(raw.images).mul(255 / 16).round().to(torch.uint8)
        labels = torch.from_numpy(raw.target).long()
        return Resident.of(images[keep][:, None], labels[keep], tuple("0123456789"))
