"""TensorBoard's event file of one session of a run."""

from __future__ import annotations

import io
import os
import re
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gan_cli.rows import Appended

_NAME = re.compile(r"events\.out\.tfevents\.(\d{1,12}\.\d{6})\..*")


class Board:
    """TensorBoard's event file, written in the calling thread.

    torch's SummaryWriter writes in a thread of its own, which answers a full disk with a
    traceback; here that is an OSError. `step` is the one that the session starts after.
    """

    def __init__(self, directory: Path, step: int):
        from tensorboard.compat.proto import event_pb2
        from torch.utils.tensorboard import RecordWriter, summary

        self.summary: Any = summary
        self._events, self._records = event_pb2, RecordWriter
        directory.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{_next(directory):.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = Appended(directory / name)
        self.close = self._file.close
        # a session that starts at a step replaces what an earlier one wrote from there on
        session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        version = event_pb2.Event(file_version="brain.Event:2")
        self._write([version, event_pb2.Event(step=step + 1, session_log=session)])

    def add(self, step: int, summaries: Iterable[Any]) -> None:
        """Adds what torch's summary module has made for a step. Raises OSError."""
        self._write([self._events.Event(step=step, summary=one) for one in summaries])

    def _write(self, events: list[Any]) -> None:
        piece = io.BytesIO()
        for event in events:
            event.wall_time = time.time()
            self._records(piece).write(event.SerializeToString())
        self._file.append(piece.getvalue())


def _next(directory: Path) -> float:
    """The time; of later files a later one, even where the clock was put back.

    TensorBoard reads sessions in the order of their names.
    """
    found = (_NAME.fullmatch(path.name) for path in directory.iterdir())
    return max([time.time(), *(float(match[1]) + 1e-5 for match in found if match)])
