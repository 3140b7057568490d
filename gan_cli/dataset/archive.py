"""Images in one file, as `gan sample --out FILE.npz` writes them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan_cli.dataset.cache import TORN
from gan_cli.dataset.listing import opened
from gan_cli.dataset.room import fits_host
from gan_cli.dataset.source import Resident
from gan_cli.errors import BadFile, UserMistake
from gan_cli.strict import clean

_LARGEST = 1 << 20
"""Labels, at most: names are made of them."""


def read(path: Path) -> Resident:
    """The `images` of an .npz file, uint8 `(N, H, W, C)`, and its `labels` `(N,)` where it has any.

    UserMistake where it holds points, or more than memory does; BadFile for any other file. Nothing
    in it is unpickled.
    """
    try:
        with opened(path) as file, np.load(file, allow_pickle=False) as held:
            if not isinstance(held, np.lib.npyio.NpzFile):
                raise ValueError("no .npz file")
            if "images" not in held.files and "points" in held.files:
                raise UserMistake(f"{clean(path)} holds points: name the data they were made of")
            _check_room(held.zip, path)
            images: NDArray[np.uint8] = held["images"]
            labels = held["labels"] if "labels" in held.files else None
            return _source(images, labels)
    except TORN as error:
        raise BadFile(f"{clean(path)} holds no images that can be read: {clean(error)}") from error


def _check_room(packed: zipfile.ZipFile | None, path: Path) -> None:
    if packed and not fits_host(sum(info.file_size for info in packed.infolist())):
        raise UserMistake(f"{clean(path)} holds more than this machine's memory: a directory")


def _source(images: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> Resident:
    """ValueError for what are no images, or no labels of theirs."""
    if not isinstance(images, np.ndarray) or not isinstance(labels, np.ndarray | None):
        raise ValueError("an entry that is no array")
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"images are uint8 (N, H, W, C), not {images.dtype} {images.shape}")
    x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    if labels is None:
        return Resident.of(x, None, ())
    if labels.shape != (len(x),) or labels.dtype.kind not in "iu" or labels.max() >= _LARGEST:
        raise ValueError(f"labels are whole numbers, one an image, not {labels.shape}")
    c = torch.from_numpy(labels.astype(np.int64))
    return Resident.of(x, c, tuple(map(str, range(int(c.max()) + 1))))
