"""A generator as a file that other programs read, held against the generator itself.

What is written is believed once it has been read back and has made the same samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from gan_cli import randomness
from gan_cli.errors import NumericalFailure, UserMistake
from gan_cli.sampler import Sampler

BATCHES = (1, 2, 5, 16)
"""Batches that a file is tried with: none of them is the one it was traced with."""

SEEDS = (0, 1)
"""Seeds of the codes that it is tried with."""

ROOM = 1 << 26
"""Numbers in the samples of such a batch, at most, unless there is one alone."""

TRACED = 3
"""Samples of the batch that a generator is traced with."""

Function = Callable[[Tensor, Tensor | None], Tensor]
"""What makes samples of codes and conditions, `(N, z_dim), (N, …) -> (N, …)`."""


class Format(Protocol):
    """A kind of file: how a generator is written to it, and how such a file makes samples."""

    @property
    def file(self) -> str:
        """Its name."""
        ...

    @property
    def tolerance(self) -> float:
        """How far its samples may be from the generator's, where these lie in [-1, 1]; of larger
        ones, in proportion."""
        ...

    def lacks(self) -> str | None:
        """What has to be installed first, as one types it."""
        ...

    def write(self, sampler: Sampler, path: Path) -> None:
        """Make the file; UserMistake for a generator that can't be told so."""
        ...

    def read(self, path: Path) -> Function:
        """What such a file, one that was written here, makes."""
        ...


class Verified(NamedTuple):
    """How far the samples of a file are from the generator's, at most, over so many of them."""

    difference: float
    samples: int

    def __str__(self) -> str:
        far = f"{self.difference:.1e}" if self.difference else "0, bit for bit,"
        return f"max difference {far} over {self.samples} samples"


def asked(sampler: Sampler, n: int, seed: int) -> tuple[Tensor, Tensor | None]:
    """Codes of the prior, and labels or images in [-1, 1] where there are any to be given.

    `(n, z_dim), (n, …)`.
    """
    z, given = sampler.codes(range(n), seed), sampler.space.given
    if given is None:
        return z, sampler.labels(range(n))
    generator = randomness.generator("export", seed)
    return z, 2 * torch.rand(n, *given, generator=generator) - 1


def verified(kind: Format, path: Path, sampler: Sampler) -> Verified:
    """Samples of the file against the generator's own, for batches of several sizes.

    Raises NumericalFailure when they are further apart than the kind of file may be.
    """
    made, differences, count = kind.read(path), [], 0
    room = ROOM // math.prod(sampler.space.shape)
    for seed in SEEDS:
        for n in [n for n in BATCHES if n <= max(1, room)]:
            z, c = asked(sampler, n, seed)
            x, own = made(z, c), sampler.generate(z, c)
            if x.shape != own.shape:
                shapes = f"{tuple(x.shape)} instead of {tuple(own.shape)}"
                raise NumericalFailure(f"{path.name} makes samples of shape {shapes}")
            far = (x.float() - own).abs().max() / own.abs().max().clamp(min=1)
            differences.append(far)
            count += n
    difference = float(torch.stack(differences).max())  # NaN where any is
    if not difference <= kind.tolerance:
        raise NumericalFailure(
            f"{path.name} makes other samples than the checkpoint: max difference "
            f"{difference:.1e}, where {kind.tolerance:.0e} may be"
        )
    return Verified(difference, count)


def check_still(sampler: Sampler) -> None:
    """Raise UserMistake for a generator that makes something else of the same codes each time."""
    z, c = asked(sampler, TRACED, 0)
    if not torch.equal(sampler.generate(z, c), sampler.generate(z, c)):
        raise UserMistake(
            "this generator draws random numbers of its own, so no file can be held against it: "
            "its model has to make the same of the same codes in evaluation mode"
        )
