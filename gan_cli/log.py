"""What training says about itself, and the only place that reads a number off the device.

A step hands over 0-d tensors and goes on; once per interval they are read in one transfer and go
to `metrics.jsonl` (one row per step), to TensorBoard (means over the interval) and to the console.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from gan_cli import dist
from gan_cli.clock import Clock
from gan_cli.console import Console
from gan_cli.errors import DiskFailure, NumericalFailure
from gan_cli.rows import Appended, rows


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
        self._board = self._open(run.tensorboard, start_step) if tensorboard else None
        self._notes = Notes()
        self._means: dict[str, float] = {}
        self._since: tuple[float, float] | None = None  # clock and images at the last flush

    def step(self, step: int, facts: Mapping[str, Tensor], counts: Mapping[str, float]) -> None:
        """Notes a step without waiting for the device; every `every` steps, flushes.

        facts: 0-d tensors of one device. They are copied on the device, so that a later step may
        write over them. counts: what the host knows, `images` (seen since the run began) among
        them; on TensorBoard a name without `/` stands under `counts/`.
        """
        self._notes.add(step, facts, counts)
        if self._since is None:
            self._since = time.perf_counter(), counts["images"]
        if step % self._every == 0:
            self.flush()

    def flush(self) -> None:
        """Reads and records every step noted since the last flush: the end of an interval.

        Raises NumericalFailure, when all is recorded, if a fact was NaN or infinite. So a flush
        before a checkpoint keeps such numbers out of it.
        """
        read = self._notes.read()
        if not read or self._since is None:
            return
        (steps, facts), last = zip(*read, strict=True), read[-1][0]
        (before, seen), now = self._since, time.perf_counter()
        self._since = now, last.counts["images"]
        rate = (last.counts["images"] - seen) / max(now - before, 1e-9)
        self._last = last.step
        self._record(list(map(_row, steps, facts)))
        self._clock.tick(last.step)
        means, memory = _means(facts), _memory(last.values.device)
        counts = {n if "/" in n else f"counts/{n}": v for n, v in last.counts.items()}
        values = counts | means | {"images_per_second": rate, "memory_mb": memory / 1e6}
        self._means = means
        self._show(last.step, lambda to: [to.scalar(n, v) for n, v in values.items()])
        self._console.update(last.step, means, rate, memory)
        self._notes.refuse_not_finite(read)

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
        arrays = {name: _host(v.detach()).astype(float) for name, v in values.items()}
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

    def _open(self, directory: Path, step: int) -> _Board | None:
        try:
            return _Board(directory, step)
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


@dataclass(frozen=True)
class _Step:
    """A step's facts, still on the device: `values` is `(len(names),)`."""

    step: int
    counts: dict[str, float]
    names: tuple[str, ...]
    values: Tensor


class Notes:
    """Steps whose facts wait on the device to be read."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []

    def add(self, step: int, facts: Mapping[str, Tensor], counts: Mapping[str, float]) -> None:
        """Note a step without waiting for the device."""
        with torch.no_grad():
            values = torch.stack(list(facts.values())) if facts else torch.empty(0)
        self._steps.append(_Step(step, dict(counts), tuple(facts), values))

    def read(self) -> Read:
        """Each step and its facts, their means over all ranks, in one transfer; then none wait."""
        steps, self._steps = self._steps, []
        if not steps:
            return []
        (values,) = dist.mean([torch.cat([step.values for step in steps])])
        numbers = iter(_host(values))
        # str() of a NumPy float is the shortest text that reads back as the same number
        return [(s, {name: float(str(next(numbers))) for name in s.names}) for s in steps]

    @staticmethod
    def refuse_not_finite(read: Read) -> None:
        """Raise NumericalFailure for the first step of which a fact is NaN or infinite."""
        for step, facts in read:
            bad = [f"{name} is {v}" for name, v in facts.items() if not math.isfinite(v)]
            if bad:
                raise NumericalFailure(
                    f"step {step.step}: {', '.join(bad)}; the runs that survive usually have a "
                    "smaller learning rate, clip_grad=1, or hardware.precision=float32"
                )


Read = list[tuple[_Step, dict[str, float]]]
"""Steps, and their facts."""


def _host(values: Tensor) -> np.ndarray:
    values = values.cpu()
    return values.to(torch.promote_types(values.dtype, torch.float32)).numpy()


def _means(facts: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each fact over the steps that have it, in order of first appearance."""
    names = dict.fromkeys(name for step in facts for name in step)
    columns = {name: [step[name] for step in facts if name in step] for name in names}
    return {name: sum(column) / len(column) for name, column in columns.items()}


def _row(step: _Step, facts: dict[str, float]) -> str:
    """One line of strict JSON; numbers that aren't finite as "nan", "inf" and "-inf"."""
    safe = {name: v if math.isfinite(v) else str(v) for name, v in facts.items()}
    return json.dumps({"step": step.step, **step.counts, **safe}, allow_nan=False) + "\n"


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


class _Board:
    """TensorBoard's event file, written in the calling thread.

    torch's SummaryWriter writes in a thread of its own, which answers a full disk with a
    traceback; here that is an OSError.
    """

    def __init__(self, directory: Path, step: int):
        from tensorboard.compat.proto import event_pb2
        from torch.utils.tensorboard import RecordWriter, summary

        self.summary: Any = summary
        self._events, self._records = event_pb2, RecordWriter
        directory.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = Appended(directory / name)
        self.close = self._file.close
        # a session that starts at a step replaces what an earlier one wrote from there on
        session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        version = event_pb2.Event(file_version="brain.Event:2")
        self._write([version, event_pb2.Event(step=step + 1, session_log=session)])

    def add(self, step: int, summaries: Iterable[Any]) -> None:
        self._write([self._events.Event(step=step, summary=one) for one in summaries])

    def _write(self, events: list[Any]) -> None:
        piece = io.BytesIO()
        for event in events:
            event.wall_time = time.time()
            self._records(piece).write(event.SerializeToString())
        self._file.append(piece.getvalue())
