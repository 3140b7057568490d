"""Samples refined by D: rejection of what it takes for fake, or a walk to what it likes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from gan_cli import critics
from gan_cli.errors import UserMistake
from gan_cli.langevin import Langevin
from gan_cli.loss import Loss
from gan_cli.prior import Prior
from gan_cli.rejection import Rejection
from gan_cli.sampler import BLOCK, Sampler, check_counts
from gan_cli.strict import clean

__all__ = ["WAYS", "Langevin", "Refined", "Refiner", "Rejection", "Way", "named", "refined"]


class Refiner(Protocol):
    """Codes whose samples are nearer to the data than those of the prior's codes."""

    def __call__(self, numbers: range, seed: int, c: Tensor | None) -> Tensor:
        """Codes of these samples and their conditions, `(len(numbers), z_dim)`, on the CPU.

        Each is a function of its number, the seed and its own condition.
        """
        ...


class Way(Protocol):
    """A way to refine, with its settings."""

    def refuses(self, loss: Loss, name: str, prior: Prior) -> str | None:
        """Why a D of this loss, or these codes, can't serve, and what can; None if they can."""
        ...

    def over(self, sampler: Sampler, D: nn.Module) -> Refiner:
        """The codes of this sampler, refined by D."""
        ...


class Refined(Sampler):
    """A sampler whose samples have been refined; the codes it draws are still the prior's."""

    def __init__(self, sampler: Sampler, refiner: Refiner):
        super().__init__(
            sampler.generator,
            sampler.space,
            sampler.prior,
            sampler.task,
            sampler.data,
            sampler.origin,
        )
        self.refiner = refiner

    def batches(
        self, n: int, seed: int, batch: int = BLOCK, c: Tensor | None = None
    ) -> Iterator[Tensor]:
        """What `sample` gives, piece by piece. Raises NumericalFailure on NaN or infinity."""
        check_counts(n, batch, c)
        piece = -(-batch // self.size) * self.size
        block = max(BLOCK, self.size)  # of two powers of 2
        step = -(-batch // block) * block
        for start in range(0, n, step):
            numbers = range(start, min(start + step, n))
            asked = self.labels(numbers) if c is None else c[numbers.start : numbers.stop]
            z = self.refiner(numbers, seed, asked)
            labels = None if asked is None else asked.split(piece)
            for index, codes in enumerate(z.split(piece)):
                yield self.generate(codes, None if labels is None else labels[index])


WAYS: dict[str, Way] = {
    "rejection": Rejection(),
    "exact": Rejection(percentile=None),
    "langevin": Langevin(),
}
"""What `--refine` takes."""


def named(how: str, steps: int | None = None) -> Way:
    """The way of this name, its walk of so many steps; UserMistake where there is no such way."""
    if how not in WAYS:
        raise UserMistake(f"--refine is one of {', '.join(WAYS)}, not {clean(how)}")
    way = WAYS[how]
    if steps is None:
        return way
    if not isinstance(way, Langevin):
        raise UserMistake("--refine-steps are those of --refine langevin")
    return replace(way, steps=steps)


def refined(
    sampler: Sampler,
    path: str | Path,
    how: str | Way,
    device: str | torch.device = "cpu",
    trust: tuple[str, ...] = (),
) -> Refined:
    """A sampler of the same generator whose samples D has refined, functions of the seed alone.

    `path` is where the generator is from, a run's directory or a training checkpoint, and `how` a
    name of WAYS, or one with settings of its own. D judges the raw G in training, and serves an
    averaged one as well as the two are alike. Raises UserMistake where there is no D, or one that
    can't serve, and BadFile as `Sampler.load`.
    """
    if sampler.space.given is not None:
        raise UserMistake("--refine is for generators that are given no image")
    way = named(how) if isinstance(how, str) else how
    critic = critics.load(path, sampler.space, sampler.prior, sampler.sha256, trust)
    if reason := way.refuses(critic.loss, critic.loss_name, sampler.prior):
        raise UserMistake(f"--refine: {reason}")
    return Refined(sampler, way.over(sampler, critic.D.to(device)))
