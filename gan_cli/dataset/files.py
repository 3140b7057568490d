"""Image files, read one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_cli.dataset.decode import FAULTS, Decodes, reason
from gan_cli.dataset.survey import fingerprint, quiet
from gan_cli.errors import BadFile
from gan_cli.strict import clean


class Files:
    """The images in these files, which must have stayed as they were: `prints` `(N, 16)` know."""

    def __init__(self, paths: Sequence[Path], decode: Decodes, prints: NDArray[np.uint8]):
        self._paths, self._decode, self._prints = paths, decode, prints

    def __getitem__(self, index: int) -> Tensor:
        path = self._paths[index]
        try:
            with quiet():
                pixels, _ = self._decode(path)
        except FAULTS as error:
            raise BadFile(_told(path, reason(error, path))) from error
        if not np.array_equal(fingerprint(pixels), self._prints[index]):
            raise BadFile(_told(path, "it shows something else now"))
        return torch.tensor(pixels)  # a copy: what PIL gives can't be written to


def _told(path: Path, why: str) -> str:
    return (
        f"{clean(path)} has changed since training began: {why}. Put it back, and the same "
        "command goes on from the last checkpoint"
    )
