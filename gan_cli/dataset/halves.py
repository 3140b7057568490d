"""The half of a data set that nobody trains on."""

from __future__ import annotations

import dataclasses
from typing import Any

from gan_cli.dataset.source import Source

BESIDE = {"train": "test"}
"""The split of a data set that stands beside the one that is trained on."""


def held_out(dataset: Any) -> Source | None:
    """The test split of a data set that trains on its train split; None where there is none."""
    beside = BESIDE.get(getattr(dataset, "split", ""))
    if beside is None:
        return None
    held: Source = dataclasses.replace(dataset, split=beside).load()
    return held
