"""The sweeps below a directory, and their jobs that have no run to speak for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gan_cli.errors import GanError
from gan_cli.study.folder import is_run
from gan_cli.study.ledger import LEDGER, Job, Ledger

PLACES = ("", "*/", "sweeps/*/")
"""Where sweeps are looked for, from a directory that is named."""


@dataclass(frozen=True)
class Sweep:
    """A sweep's directory, its jobs, and when its ledger was written last; `trouble` where that
    can't be read."""

    directory: Path
    jobs: tuple[Job, ...]
    written: float
    trouble: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return Counter(job.state for job in self.jobs)

    @property
    def runless(self) -> list[Job]:
        """Jobs that have no run directory: not begun, or refused before they did."""
        return [job for job in self.jobs if not is_run(Path(job.run))]


def sweeps(paths: Iterable[Path]) -> list[Sweep]:
    """Each sweep that a path is or holds, the one written to last first."""
    ledgers = {file for path in paths for place in PLACES for file in path.glob(place + LEDGER)}
    return sorted(map(_sweep, ledgers), key=lambda one: (-one.written, str(one.directory)))


def _sweep(file: Path) -> Sweep:
    try:
        written = file.stat().st_mtime
        return Sweep(file.parent, (*Ledger.read(file.parent).jobs,), written)
    except (GanError, OSError) as error:
        return Sweep(file.parent, (), 0.0, str(error))
