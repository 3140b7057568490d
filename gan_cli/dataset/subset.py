"""Some of a source's samples, as a source of their own."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.dataset.source import Resident, Source
from gan_cli.dataset.stream import Images, Streamed


def subset(source: Source, index: Tensor) -> Source:
    """The samples of these numbers `(n,)`, without their labels, each once an epoch.

    Raises ValueError for a source that is drawn without end.
    """
    sha = hashlib.sha256(f"{source.fingerprint} {index.tolist()}".encode()).hexdigest()
    if isinstance(source, Resident):
        return dataclasses.replace(
            source, images=source.images[index], labels=None, classes=(), fingerprint=sha
        )
    if isinstance(source, Streamed):
        return dataclasses.replace(
            source,
            images=_Chosen(source.images, index),
            length=len(index),
            labels=None,
            classes=(),
            fingerprint=sha,
        )
    raise ValueError("it needs images that can be counted: dataset=mnist, or dataset=folder")


def of_class(source: Source, label: int) -> Tensor:
    """The numbers of a class's samples, `(n,)`; none where the source has no labels."""
    labels = getattr(source, "labels", None)
    if labels is None:
        return torch.empty(0, dtype=torch.long)
    return (labels == label).nonzero().squeeze(1)


@dataclass(frozen=True, eq=False)
class _Chosen:
    images: Images
    index: Tensor

    def __getitem__(self, number: int) -> Tensor:
        return self.images[int(self.index[number])]
