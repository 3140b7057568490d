"""Image files, read one at a time."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gan_cli.dataset.decode import FAULTS, Decodes, reason
from gan_cli.errors import BadFile
from gan_cli.strict import clean


class Files:
    """The images in these files, which must have stayed as they were."""

    def __init__(self, paths: list[Path], decode: Decodes, shape: tuple[int, ...]):
        self._paths, self._decode, self._shape = paths, decode, shape

    def __getitem__(self, index: int) -> Tensor:
        path = self._paths[index]
        try:
            pixels, _ = self._decode(path)
        except FAULTS as error:
            raise BadFile(f"{clean(path)} has changed: {reason(error, path)}") from error
        if pixels.shape != self._shape:
            raise BadFile(f"{clean(path)} has changed: its size is another now")
        return torch.from_numpy(pixels)
