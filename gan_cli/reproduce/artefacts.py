"""What a run left behind, held against the same run trained again: tensors and pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli import container, state
from gan_cli.errors import BadFile
from gan_cli.plot.labelled import opened

_PICTURE = re.compile(r"step-(\d{8,15})\.png")


@dataclass(frozen=True)
class Unequal:
    """A tensor that is not the same: its name, and by how much at most, as a share of its size."""

    name: str
    share: float


@dataclass(frozen=True)
class Tensors:
    """The tensors of two checkpoints of a step: how many, and those that are not the same."""

    step: int
    count: int
    unequal: list[Unequal]
    alone: list[str]
    """Names that only one of the two has."""

    @property
    def same(self) -> bool:
        """Whether all of them are the same, bit for bit."""
        return not (self.unequal or self.alone)


def tensors(original: Path, again: Path, step: int) -> Tensors | None:
    """The checkpoints of a step, tensor by tensor; None where the run has none that loads.

    Raises BadFile where the new run has none.
    """
    try:
        theirs = container.read(state.path_of(original / "checkpoints", step)).tensors
    except BadFile:
        return None
    mine = container.read(state.path_of(again / "checkpoints", step)).tensors
    both = [name for name in theirs if name in mine]
    unequal = [
        Unequal(name, _share(theirs[name], mine[name]))
        for name in sorted(both, key=_order)
        if not _same(theirs[name], mine[name])
    ]
    alone = sorted(theirs.keys() ^ mine.keys())
    return Tensors(step, len(both), unequal, alone)


def _order(name: str) -> tuple[bool, str]:
    """Weights first: what they came to is told by nothing else."""
    return name.startswith("opt_"), name


def _same(a: Tensor, b: Tensor) -> bool:
    """Bit for bit: two zeros of different signs are not the same."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    one, other = (x.contiguous().view(-1).view(torch.uint8) for x in (a, b))
    return torch.equal(one, other)


def _share(a: Tensor, b: Tensor) -> float:
    """The largest difference, as a share of the largest number."""
    if a.shape != b.shape or not a.numel():
        return float("inf")
    one, other = a.double(), b.double()
    size = float(torch.maximum(one.abs().max(), other.abs().max()))
    return float((one - other).abs().max()) / size if size else 0.0


@dataclass(frozen=True)
class Pictures:
    """Pictures that both runs drew: how many, which are not the same; how many only one drew."""

    count: int
    unequal: list[str]
    alone: int

    @property
    def same(self) -> bool:
        """Whether all of them are the same, pixel for pixel."""
        return not self.unequal


def pictures(original: Path, again: Path, begin: int, end: int) -> Pictures:
    """The pictures of both runs after one step and up to another."""
    theirs, mine = (_drawn(run, begin, end) for run in (original, again))
    both = sorted(theirs.keys() & mine.keys())
    unequal = [name for name in both if not _looks_same(theirs[name], mine[name])]
    return Pictures(len(both), unequal, len(theirs.keys() ^ mine.keys()))


def _looks_same(a: Path, b: Path) -> bool:
    """Whether two pictures have the same pixels: another version of a library packs them in other
    bytes."""
    if a.read_bytes() == b.read_bytes():
        return True
    try:
        return np.array_equal(opened(str(a)), opened(str(b)))
    except OSError:
        return False


def _drawn(run: Path, begin: int, end: int) -> dict[str, Path]:
    found = ((_PICTURE.fullmatch(path.name), path) for path in (run / "samples").glob("*.png"))
    regular = [(match, path) for match, path in found if match and path.is_file()]
    return {path.name: path for match, path in regular if begin < int(match[1]) <= end}
