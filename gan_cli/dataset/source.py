"""Sources of samples, and the feeds that give their batches by number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_cli import dist
from gan_cli.batch import Batch
from gan_cli.dataset.order import CPU, Order, Part
from gan_cli.dataset.room import fits_device
from gan_cli.randomness import generator


class Feed(Protocol):
    """Batches by number, from a source opened for a batch size, a seed and a device."""

    where: str
    """Where the samples wait: on the `device`, the `host`, as a `stream`, or `endless`."""

    def __call__(self, i: int) -> Batch:
        """Batch i on the device, float32: a pure function of (seed, i), asked in any order."""
        ...


class Source(Protocol):
    """Real samples of one shape, and their classes where they have labels."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: (channels, height, width) of an image, (d,) of a point."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0, 1, …; () when the samples have none."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the contents, in hex."""
        ...

    @property
    def length(self) -> int | None:
        """How many samples there are; None when they never end."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the samples were read, a line each; often ()."""
        ...

    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        """Batches of that size, on that device."""
        ...


@runtime_checkable
class Distribution(Protocol):
    """What samples can be drawn from without end; it need not have a density."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        ...

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Samples `(n, …)` on the CPU, drawn with that generator alone."""
        ...


@runtime_checkable
class Density(Distribution, Protocol):
    """A distribution whose density is known exactly.

    What is concentrated on points or lines has none: it offers no `log_prob`, and isn't a Density.
    """

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density, `(N, …) -> (N,)`."""
        ...


@dataclass(frozen=True, eq=False)
class Resident:
    """Images held in memory as uint8 `(N, C, H, W)`, with labels int64 `(N,)` or None.

    They are kept on the device where they fit, else on the host. `mirror` flips half of them,
    chosen anew each epoch.
    """

    images: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    fingerprint: str
    mirror: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        images: Tensor,
        labels: Tensor | None,
        classes: tuple[str, ...],
        mirror: bool = False,
        notes: tuple[str, ...] = (),
    ) -> Resident:
        """Images and labels with their fingerprint."""
        return cls(images, labels, classes, digest(images, labels), mirror, notes)

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4 or not len(self.images):
            raise ValueError(
                f"images are uint8 (N, C, H, W), not {self.images.dtype} {tuple(self.images.shape)}"
            )
        check_labels(self.labels, len(self.images), self.classes)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width)."""
        return tuple(self.images.shape[1:])

    @property
    def length(self) -> int:
        """How many images there are."""
        return len(self.images)

    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        """Batches gathered by index where the images are."""
        return _Gather(self, batch_size, seed, device)


class _Gather:
    def __init__(self, source: Resident, batch_size: int, seed: int, device: torch.device):
        fits = fits_device(source.images.nbytes, device)
        home = device if fits else CPU
        self.where = "device" if fits else "host"
        self._device = device
        self._images = source.images.to(home)
        self._labels = None if source.labels is None else source.labels.to(home)
        self._order = Order(source.length, batch_size, seed, home, source.mirror)

    def __call__(self, i: int) -> Batch:
        index, flip = self._order(i)
        labels = None if self._labels is None else self._labels[index]
        images = self._images.index_select(0, index)  # image by image; [index] goes byte by byte
        return normalised(images, labels, flip, self._device)


@dataclass(frozen=True, eq=False)
class Endless:
    """Fresh samples of a known distribution: batch i is drawn by (seed, i)."""

    density: Distribution
    classes: tuple[str, ...] = ()
    length: None = None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.density.shape

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the distribution's name and parameters, in hex."""
        return hashlib.sha256(repr(self.density).encode()).hexdigest()

    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        """Batches drawn on the CPU, the same for every device."""
        return _Draw(self.density, batch_size, seed, device)


class _Draw:
    where = "endless"

    def __init__(self, density: Distribution, batch_size: int, seed: int, device: torch.device):
        self._density, self._batch_size, self._seed = density, batch_size, seed
        self._device = device

    def __call__(self, i: int) -> Batch:
        x = self._density.sample(self._batch_size, generator("draw", self._seed, i))
        return Batch(moved(x, self._device))


class Rows:
    """Of each batch of a feed the rows of one rank alone, in their order."""

    def __init__(self, feed: Feed):
        self._feed, self.where = feed, feed.where

    def __call__(self, i: int) -> Batch:
        """This rank's rows of batch i."""
        batch = self._feed(i)
        c = None if batch.c is None else dist.rows(batch.c)
        return Batch(dist.rows(batch.x), c)


def opened(source: Source, batch_size: int, seed: int, device: torch.device) -> Feed:
    """The batches of a source, of which each rank gets its own rows.

    The order is that of one process, whatever the number of ranks.
    """
    if dist.size() == 1:
        return source.open(batch_size, seed, device)
    return Rows(source.open(Part.of(batch_size, dist.rank(), dist.size()), seed, device))


def normalised(x: Tensor, c: Tensor | None, flip: Tensor | None, device: torch.device) -> Batch:
    """A batch on the device from uint8 images: mirrored where `flip` says, then x / 127.5 - 1."""
    x = moved(x, device)
    if flip is not None:
        x = torch.where(moved(flip, device)[:, None, None, None], x.flip(-1), x)
    return Batch(x.float().div_(127.5).sub_(1), None if c is None else moved(c, device))


def moved(x: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; to a GPU without waiting for what the GPU is doing."""
    if device.type == "cuda" and not x.is_cuda:
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


def digest(images: Tensor, labels: Tensor | None) -> str:
    """SHA-256 of shape, pixels and labels, in hex."""
    sha = hashlib.sha256(f"{tuple(images.shape)}".encode())
    for tensor in (images, labels):
        if tensor is not None:
            sha.update(tensor.contiguous().numpy().data)
    return sha.hexdigest()


def check_labels(labels: Tensor | None, length: int, classes: tuple[str, ...]) -> None:
    """Raise ValueError unless there is one label a sample, each the number of a class."""
    if labels is None:
        if classes:
            raise ValueError("there are classes, but no labels")
    elif len(labels) != length:
        raise ValueError(f"there are {len(labels)} labels for {length} samples")
    elif int(labels.min()) < 0 or int(labels.max()) >= len(classes):
        raise ValueError(
            f"labels run from {int(labels.min())} to {int(labels.max())}, "
            f"where {len(classes)} classes allow 0 to {len(classes) - 1}"
        )


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise ValueError unless the value is one of the choices."""
    choices = list(choices)
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(map(str, choices))}, not {value}")
