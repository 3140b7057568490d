"""How long a run has trained, kept beside its numbers: those are the same each time, time isn't."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from gan_cli.rows import rows
from gan_cli.tail import last_row


class Clock:
    """Seconds of training after each interval, over all sessions of a run: a row of `clock.jsonl`.

    Rows after `start_step` are cut off first. Raises OSError when the file can't be opened; a row
    that can't be written later is left out.
    """

    def __init__(self, path: Path, start_step: int):
        self._rows = rows(path, start_step)
        before = last_row(path).get("seconds", 0.0)
        self._before = float(before) if isinstance(before, int | float) else 0.0
        self._started = time.perf_counter()
        self.close = self._rows.close

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self._before + time.perf_counter() - self._started

    def tick(self, step: int) -> None:
        """Notes the time after this step."""
        row = {"step": step, "seconds": round(self.seconds, 3)}
        with suppress(OSError):
            self._rows.append(f"{json.dumps(row)}\n".encode())
