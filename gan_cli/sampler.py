"""A frozen generator that knows what it makes, and needs neither data nor training flags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from gan_cli import generators, randomness
from gan_cli.errors import NumericalFailure, UserMistake
from gan_cli.fast import Passes
from gan_cli.generators import Origin
from gan_cli.model import Generator
from gan_cli.prior import Prior
from gan_cli.prior.normal import Normal
from gan_cli.space import Shape, Space
from gan_cli.task import Derived

BLOCK = 64
"""Latent codes are drawn so many at a time, whatever the batch size."""


class Sampler:
    """Samples as a function of the seed, and of what they are asked for.

    The generator may still be learning: it is used as it is at the time, without gradients, in
    evaluation mode, and left as it was found. `task` is how image conditions are made from images
    of the shape `data`, where they are images.
    """

    def __init__(
        self,
        generator: nn.Module,
        space: Space,
        prior: Prior | None = None,
        task: Derived | None = None,
        data: Shape | None = None,
        origin: Origin | None = None,
    ):
        self.generator = cast(Generator, generator)
        self.space, self.prior = space, prior or Normal()
        self.task, self.data = task, data or space.shape
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
        The averaged weights where there are any, unless `raw`. What the names in it mean is
        looked up in what is installed, and in the packages of `trust`; the file holds names and
        numbers alone. Raises BadFile for a file that can't be right, UserMistake for raw weights
        that aren't there.
        """
        found = generators.load(path, raw, trust)
        sampler = cls(
            found.generator.to(device),
            found.space,
            found.prior,
            found.task,
            found.data,
            found.origin,
        )
        if sampler._on_cpu:
            sampler.passes.lay_out(sampler.generator)  # once, and not for each pass
        return sampler

    def truncate(self, psi: float) -> None:
        """Draw samples nearer to the average one, at some cost of variety; 1 leaves all as it is.

        Of a generator that maps its codes, as model=stylegan2 does (Karras et al. 2018, arXiv
        1812.04948, appendix B); UserMistake of others.
        """
        if not hasattr(self.generator, "psi"):
            raise UserMistake(
                "--truncation is for generators that map their codes: model=stylegan2"
            )
        self.generator.psi = psi  # type: ignore[assignment]

    @property
    def step(self) -> int:
        """The step of training that the weights are from."""
        return self.origin.step

    @property
    def sha256(self) -> str:
        """The digest of the file that the weights are from."""
        return self.origin.sha256

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
        return next(self.generator.parameters()).device

    @property
    def _on_cpu(self) -> bool:
        return self.device.type == "cpu"

    @cached_property
    def passes(self) -> Passes:
        """How samples are made on a CPU."""
        return Passes.of(self.generator, self.space)

    @property
    def size(self) -> int:
        """Samples of a forward pass on a CPU, a function of the generator alone: the same sizes go
        through the same kernels. The more work a sample is, the fewer."""
        return self.passes.size

    def sample(self, n: int, seed: int, batch: int = BLOCK, c: Tensor | None = None) -> Tensor:
        """Samples `(n, …)` on the CPU, in float32.

        The first k are the same for any n, and whatever the batch size (which is rounded up to a
        multiple of `size`): bit for bit on a CPU, up to rounding on a GPU. c are the conditions,
        one a sample; without them, of a generator of classes, the classes in turn.
        """
        return torch.cat(list(self.batches(n, seed, batch, c)))

    def batches(
        self, n: int, seed: int, batch: int = BLOCK, c: Tensor | None = None
    ) -> Iterator[Tensor]:
        """What `sample` gives, piece by piece. Raises NumericalFailure on NaN or infinity."""
        check_counts(n, batch, c)
        batch = _up(batch, self.size)
        for start in range(0, n, batch):
            numbers = range(start, min(start + batch, n))
            asked = self.labels(numbers) if c is None else c[numbers.start : numbers.stop]
            yield self.generate(self.codes(numbers, seed), asked)

    @torch.no_grad()
    def generate(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """The samples of latent codes and conditions, `(n, z_dim), (n, …) -> (n, …)`, on the CPU.

        All at once, but on a CPU `size` by `size`. Raises NumericalFailure on NaN or infinity,
        ValueError where conditions lack.
        """
        if c is None and (self.space.classes or self.space.given):
            raise ValueError("this generator wants to know what is asked for")
        n, whole = len(z), _up(len(z), self.size)
        size = self.size if self._on_cpu else whole
        z = _lengthened(z, whole).to(self.device)
        asked = repeat(None) if c is None else _lengthened(c, whole).to(self.device).split(size)
        always = self.passes.computing(self.generator) if self._on_cpu else nullcontext()
        with evaluating(self.generator), always:
            pairs = zip(z.split(size), asked, strict=False)
            made = [self.generator(*pair).contiguous() for pair in pairs]
        x = (torch.cat(made) if len(made) > 1 else made[0])[:n].float().cpu()
        if not x.sum().isfinite() and not x.isfinite().all():  # a sum takes a tenth of the time
            raise NumericalFailure("the generator makes samples that are NaN or infinite")
        return x

    def rows(
        self, labels: Iterable[int], columns: int, seed: int, batch: int = BLOCK
    ) -> Iterator[Tensor]:
        """Samples of these classes, so many of each, made of the same codes, piece by piece."""
        for label in labels:
            yield from self.batches(columns, seed, batch, torch.full((columns,), label))

    def labels(self, numbers: range) -> Tensor | None:
        """The labels `(len(numbers),)` of these samples: the classes in turn."""
        count = len(self.space.classes)
        return torch.tensor(numbers) % count if count else None

    def codes(self, numbers: range, seed: int) -> Tensor:
        """Latent codes `(len(numbers), z_dim)`, each a function of its number and the seed."""
        first, last = numbers.start // BLOCK, (numbers.stop - 1) // BLOCK
        blocks = [
            self.prior(
                BLOCK,
                self.generator.z_dim,
                generator=randomness.generator("sample", seed, block),
            )
            for block in range(first, last + 1)
        ]
        return torch.cat(blocks)[numbers.start - first * BLOCK :][: len(numbers)]


def check_counts(n: int, batch: int, c: Tensor | None) -> None:
    """Raise ValueError unless there are samples to make, and as many conditions, if any."""
    if n < 1 or batch < 1:
        raise ValueError(f"n and batch must be 1 or more, not {n} and {batch}")
    if c is not None and len(c) != n:
        raise ValueError(f"{n} samples want {n} conditions, not {len(c)}")


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _lengthened(rows: Tensor, count: int) -> Tensor:
    """So many rows, the last one again and again."""
    return torch.cat([rows, rows[-1:].expand(count - len(rows), *rows.shape[1:])])


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode, for as long as it lasts."""
    training = [module for module in net.modules() if module.training]
    if training:
        net.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
