"""A frozen generator that knows what it makes, and needs neither data nor training flags."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from gan_cli import generators, randomness
from gan_cli.errors import NumericalFailure
from gan_cli.generators import Origin, Space
from gan_cli.model import Generator, Shape

BLOCK = 64
"""Latent codes are drawn so many at a time, whatever the batch size."""

EIGHT = 8
"""Forward passes take multiples of this: smaller batches go through other kernels on a CPU, which
round differently."""


class Sampler:
    """Samples as a function of the seed.

    The generator may still be learning: it is used as it is at the time, without gradients, in
    evaluation mode, and left as it was found.
    """

    def __init__(
        self,
        generator: nn.Module,
        shape: Shape,
        classes: tuple[str, ...] = (),
        origin: Origin | None = None,
    ):
        self.generator = cast(Generator, generator)
        self.space = Space(tuple(shape), tuple(classes))
        self.origin = origin or Origin()

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        raw: bool = False,
        trust: tuple[str, ...] = (),
    ) -> Sampler:
        """The generator of a run directory, a training checkpoint or a generator file.

        Of a run directory, the newest checkpoint that loads, or else `generator.safetensors`.
        The averaged weights where there are any, unless `raw`. What the model's name means is
        looked up in what is installed, and in the packages of `trust`; the file holds names and
        numbers alone. Raises BadFile for a file that can't be right, UserMistake for raw weights
        that aren't there.
        """
        generator, space, origin = generators.load(path, raw, trust)
        return cls(generator.to(device), *space, origin)

    @property
    def step(self) -> int:
        """The step of training that the weights are from."""
        return self.origin.step

    @property
    def sha256(self) -> str:
        """The digest of the file that the weights are from."""
        return self.origin.sha256

    def sample(self, n: int, seed: int, batch: int = BLOCK) -> Tensor:
        """Samples `(n, …)` on the CPU, in float32.

        The first k are the same for any n, and whatever the batch size (which is rounded up to a
        multiple of eight): bit for bit on a CPU, up to rounding on a GPU.
        """
        return torch.cat(list(self.batches(n, seed, batch)))

    @torch.no_grad()
    def batches(self, n: int, seed: int, batch: int = BLOCK) -> Iterator[Tensor]:
        """What `sample` gives, piece by piece. Raises NumericalFailure on NaN or infinity."""
        if n < 1 or batch < 1:
            raise ValueError(f"n and batch must be 1 or more, not {n} and {batch}")
        batch = _up(batch, EIGHT)
        device = next(self.generator.parameters()).device
        for start in range(0, n, batch):
            stop = min(start + batch, n)
            numbers = range(start, start + _up(stop - start, EIGHT))
            z, c = self.codes(numbers, seed).to(device), self.labels(numbers)
            with evaluating(self.generator):
                x = self.generator(z, None if c is None else c.to(device))
            x = x[: stop - start].float().cpu()
            if not x.isfinite().all():
                raise NumericalFailure("the generator makes samples that are NaN or infinite")
            yield x

    def labels(self, numbers: range) -> Tensor | None:
        """The labels `(len(numbers),)` of these samples: the classes in turn."""
        count = len(self.space.classes)
        return torch.tensor(numbers) % count if count else None

    def codes(self, numbers: range, seed: int) -> Tensor:
        """Latent codes `(len(numbers), z_dim)`, each a function of its number and the seed."""
        first, last = numbers.start // BLOCK, (numbers.stop - 1) // BLOCK
        blocks = [
            torch.randn(
                BLOCK,
                self.generator.z_dim,
                generator=randomness.generator("sample", seed, block),
            )
            for block in range(first, last + 1)
        ]
        return torch.cat(blocks)[numbers.start - first * BLOCK :][: len(numbers)]


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode, for as long as it lasts."""
    training = [module for module in net.modules() if module.training]
    net.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
