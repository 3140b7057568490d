"""Images too many for memory: read by workers, in the order that memory would give."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import traceback
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_bool
from dataclasses import dataclass
from functools import partial
from multiprocessing.sharedctypes import RawValue
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gan_cli.batch import Batch
from gan_cli.dataset.order import Order, Part
from gan_cli.dataset.source import Feed, check_labels, normalised
from gan_cli.errors import BadFile, GanError

QUIET = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP")
"""Signals that are the main process's to answer: a worker they killed would lose the step.

torch and Python end workers with SIGTERM themselves, and then wait for them; so workers obey once
nobody wants their images any more.
"""


class Images(Protocol):
    """Images read one at a time; can be sent to another process."""

    def __getitem__(self, index: int, /) -> Tensor:
        """The image of that number, uint8 `(C, H, W)`; BadFile when it can't be read."""
        ...


@dataclass(frozen=True, eq=False)
class Streamed:
    """Images that don't fit into memory, with labels int64 `(N,)` or None.

    `workers` processes read ahead; with 0 the training process reads. Batches equal, bit for bit,
    those of a Resident with the same images.
    """

    images: Images
    labels: Tensor | None
    length: int
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    fingerprint: str
    mirror: bool = False
    workers: int = 2
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_labels(self.labels, self.length, self.classes)

    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        """Batches read ahead; asking for another than the next starts the reading afresh there."""
        return _Stream(self, batch_size, seed, device)


class _Stream:
    where = "stream"

    def __init__(self, source: Streamed, batch_size: int, seed: int, device: torch.device):
        self._source, self._device = source, device
        self._order = Order(source.length, batch_size, seed, mirror=source.mirror)
        self._part = batch_size if isinstance(batch_size, Part) else None
        self._batches: Iterator[Tensor] = iter(())
        self._next = -1
        self._unwanted = _unwanted(self)

    def __call__(self, i: int) -> Batch:
        if i != self._next:
            with _deaths_can_wait():
                self._batches = iter(self._loader(i))
        self._next = -1  # a failure below leaves the reader useless
        try:
            x = next(self._batches)
        except (BadFile, RuntimeError) as error:
            traceback.clear_frames(error.__traceback__)  # they would keep the workers
            self._batches = iter(())
            raise _told(error, i) from error
        self._next = i + 1
        index, flip = self._order(i)
        labels = None if self._source.labels is None else self._source.labels[index]
        return normalised(x, labels, flip, self._device)

    def _loader(self, start: int) -> DataLoader[Any]:
        source = self._source
        return DataLoader(
            _Reads(source.images, source.shape),
            batch_sampler=_From(self._order, start, self._part),
            num_workers=source.workers,
            collate_fn=torch.stack,
            worker_init_fn=partial(_ignore_signals, self._unwanted),
            pin_memory=self._device.type == "cuda",
            generator=torch.Generator(),  # or it would draw from the global one
        )


class _Reads(Dataset[Tensor]):
    def __init__(self, images: Images, shape: tuple[int, ...]):
        self._images, self._shape = images, shape

    def __getitem__(self, index: int) -> Tensor:
        if index < 0:
            return torch.zeros(self._shape, dtype=torch.uint8)
        return self._images[index]


class _From:
    def __init__(self, order: Order, start: int, part: Part | None):
        self._order, self._start, self._part = order, start, part

    def __iter__(self) -> Iterator[list[int]]:
        i, part = self._start, self._part
        while True:
            numbers = self._order(i)[0].tolist()
            if part is not None:  # another rank reads the others
                mine = range(part.rank, len(numbers), part.ranks)
                numbers = [n if k in mine else -1 for k, n in enumerate(numbers)]
            yield numbers
            i += 1


def _told(error: Exception, i: int) -> GanError:
    if isinstance(error, BadFile):  # a worker's message comes wrapped in its traceback
        return BadFile(str(error).rpartition("BadFile: ")[2].strip())
    said = str(error).strip() or type(error).__name__
    return GanError(
        f"reading batch {i} failed: {said.splitlines()[0]} (a worker that was killed is most "
        "often short of memory: dataset.workers=0 reads without workers)"
    )


@contextmanager
def _deaths_can_wait() -> Iterator[None]:
    """Leaves SIGCHLD as it is: torch would raise a worker's death wherever this process is then.

    That could be in the middle of a save. Without, it is met where the images are asked for.
    """
    before = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, before)


def _unwanted(feed: _Stream) -> Any:
    """A flag in shared memory, raised when the feed is gone or this process is about to end."""
    flag = RawValue(c_bool, False)
    weakref.finalize(feed, setattr, flag, "value", True)
    atexit.register(setattr, flag, "value", True)  # last in, first out: before multiprocessing's
    return flag


def _ignore_signals(unwanted: Any, worker: int) -> None:
    def answer(number: int, frame: FrameType | None) -> None:
        if unwanted.value:
            os._exit(0)

    for name in QUIET:
        if number := getattr(signal, name, None):
            signal.signal(number, answer)
