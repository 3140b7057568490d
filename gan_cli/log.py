"""What training says about itself; with `notes`, the only place that reads a number off the device.

A step hands over 0-d tensors and goes on; once per interval they are read in one transfer and go
to `metrics.jsonl` (one row per step), to TensorBoard (means over the interval) and to the console.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from gan_cli import dist
from gan_cli.clock import Clock
from gan_cli.console import Console
from gan_cli.errors import DiskFailure
from gan_cli.events import Board
from gan_cli.notes import Noted, Notes, host, refuse_not_finite
from gan_cli.rows import rows


class Paths(Protocol):
    """Where a run keeps its record: a file of rows, and a directory for TensorBoard."""

    @property
    def metrics(self) -> Path:
        """The file of rows."""

    @property
    def tensorboard(self) -> Path:
        """The directory of event files."""


class Log:
    """The record of one run, from `start_step` on.

    Rows of `metrics.jsonl` after `start_step` are cut off first, and TensorBoard is told to
    forget them, so that a resumed run leaves the record of one that never stopped. `every` is
    the interval in steps. Raises DiskFailure when `metrics.jsonl` can't be opened; a write that
    fails later is one warning, and is tried again at the next interval.
    """

    def __init__(
        self, run: Paths, console: Console, every: int, tensorboard: bool, start_step: int
    ):
        self._console = console
        self._every = every
        self._last = start_step
        self._path, self._waiting = run.metrics, list[str]()
        try:
            self._rows = rows(run.metrics, start_step)
            self._clock = Clock(run.metrics.with_name("clock.jsonl"), start_step)
        except OSError as error:
            raise DiskFailure(f"{run.metrics}: {error.strerror}") from error
        if lost := start_step - self._rows.count:
            console.warn(f"{run.metrics}: {lost} of the rows up to step {start_step} are lost")
        self._board = self._open(run.tensorboard, start_step) if tensorboard else None
        self._notes = Notes()
        self._device = torch.device("cpu")
        self._means: dict[str, float] = {}
        self._since: tuple[float, float] | None = None  # clock and images at the last flush

    def step(self, step: int, facts: Mapping[str, Tensor], counts: Mapping[str, float]) -> None:
        """Notes a step without waiting for the device; every `every` steps, flushes.

        facts: tensors of one device, 0-d but for hidden ones. They are copied on the device, so
        that a later step may write over them. counts: what the host knows, `images` (seen since the
        run began) among them; on TensorBoard a name without `/` stands under `counts/`.
        """
        self._notes.add(step, facts, counts)
        self._device = next((fact.device for fact in facts.values()), self._device)
        if self._since is None:
            self._since = time.perf_counter(), counts["images"]
        if self.due(step):
            self.flush()

    def due(self, step: int) -> bool:
        """Whether the numbers are read at this step."""
        return step % self._every == 0

    @property
    def newest(self) -> int:
        """The newest step that was noted."""
        return self._notes.newest

    def flush(self) -> None:
        """Reads and records every step noted since the last flush: the end of an interval.

        Raises NumericalFailure, when all is recorded, if a fact was NaN or infinite. So a flush
        before a checkpoint keeps such numbers out of it.
        """
        read = self._notes.read()
        if not read or self._since is None:
            return
        facts, last = [noted.facts for noted in read], read[-1]
        (before, seen), now = self._since, time.perf_counter()
        self._since = now, last.counts["images"]
        rate = (last.counts["images"] - seen) / max(now - before, 1e-9)
        self._last = last.step
        self._record(list(map(_row, read)))
        self._clock.tick(last.step)
        means, memory = _means(facts), _memory(self._device)
        counts = {n if "/" in n else f"counts/{n}": v for n, v in last.counts.items()}
        values = counts | means | {"images_per_second": rate, "memory_mb": memory / 1e6}
        self._means = means
        self._show(last.step, lambda to: [to.scalar(n, v) for n, v in values.items()])
        self._console.update(last.step, means, rate, memory)
        refuse_not_finite(read)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Puts numbers that belong to a step alone on TensorBoard."""
        self._show(step, lambda to: [to.scalar(name, v) for name, v in values.items()])

    def images(self, step: int, grid: np.ndarray) -> None:
        """Puts a grid `(H, W, C)` of uint8 on TensorBoard."""
        self._show(step, lambda to: [to.image("samples", grid, dataformats="HWC")])

    def histograms(self, step: int, values: Mapping[str, Tensor]) -> None:
        """Puts the distribution of each tensor's finite values on TensorBoard."""
        if self._board is None:
            return
        arrays = {name: host(v.detach()).astype(float) for name, v in values.items()}
        finite = {name: array[np.isfinite(array)] for name, array in arrays.items()}
        self._show(step, lambda to: [to.histogram(n, a, 64) for n, a in finite.items() if a.size])

    def hparams(self, config: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Puts the settings, and what they came to, on TensorBoard's HPARAMS page.

        Besides `metrics`, that is the means of the last interval. config: numbers, strings and
        booleans are kept; nested names are joined by dots.
        """
        settings = dict(_flat(config, ""))
        named = {f"hparam/{name}": v for name, v in (self._means | dict(metrics)).items()}
        self._show(self._last, lambda to: to.hparams(settings, named))
        self._show(self._last, lambda to: [to.scalar(n, v) for n, v in named.items()])

    def close(self) -> None:
        """Flushes what is left and closes the files; a second call does nothing."""
        try:
            with dist.alone():
                self.flush()
        finally:
            if self._waiting:
                self._console.warn(f"{self._path}: the last {len(self._waiting)} rows are lost")
            self._waiting = []
            self._rows.close()
            self._clock.close()
            if self._board is not None:
                self._board.close()
                self._board = None

    def _record(self, new: list[str]) -> None:
        """Adds rows in one write, after those that could not be written before."""
        first, self._waiting = not self._waiting, self._waiting + new
        try:
            self._rows.append("".join(self._waiting).encode())
            self._waiting = []
        except OSError as error:
            if first:
                self._console.warn(f"{self._path}: {error.strerror}; rows wait, training goes on")

    def _open(self, directory: Path, step: int) -> Board | None:
        try:
            return Board(directory, step)
        except (ImportError, OSError) as error:
            self._console.warn(f"no TensorBoard: {error}")
        return None

    def _show(self, step: int, draw: Callable[[Any], Iterable[Any]]) -> None:
        """Gives TensorBoard what `draw` makes with torch's summary module.

        After a failure there is no TensorBoard any more.
        """
        if self._board is None:
            return
        try:
            self._board.add(step, draw(self._board.summary))
        except OSError as error:
            self._board.close()
            self._board = None
            self._console.warn(f"TensorBoard stops here: {error.strerror}; training goes on")


def _means(facts: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each fact over the steps that have it, in order of first appearance."""
    names = dict.fromkeys(name for step in facts for name in step)
    columns = {name: [step[name] for step in facts if name in step] for name in names}
    return {name: sum(column) / len(column) for name, column in columns.items()}


def _row(noted: Noted) -> str:
    """One line of strict JSON; numbers that aren't finite as "nan", "inf" and "-inf"."""
    told = {"step": noted.step, **noted.counts, **noted.facts}
    safe = {name: v if math.isfinite(v) else str(v) for name, v in told.items()}
    return json.dumps(safe, allow_nan=False) + "\n"


def _memory(device: torch.device) -> int:
    """Bytes in use: the allocator's share of the GPU, else the process's resident memory
    (its peak where the system tells no more; 0 where it tells nothing)."""
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _flat(config: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, bool | float | str]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, (bool, int, float, str)):
            yield f"{prefix}{key}", value
