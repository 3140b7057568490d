"""How often a run went back, and where to: what is kept of it in the run directory."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gan_cli import disk, state, strict
from gan_cli.errors import BadFile
from gan_cli.tail import small

FORMAT = "gan-rewinds/1"
NAME = "rewinds.json"

_PICTURE = re.compile(r"step-(\d{8,15})\.png")


@dataclass(frozen=True)
class Return:
    """The run went back from the step `at` to the step `to`, and why."""

    at: int
    to: int
    reason: str

    def __post_init__(self) -> None:
        steps = (self.at, self.to)
        if not (all(type(step) is int for step in steps) and 0 <= self.to <= self.at):
            raise ValueError("no steps of a return")
        if not isinstance(self.reason, str):
            raise ValueError("no reason of a return")


class Rewinds:
    """The returns of a run, in order.

    A return is written before anything of the abandoned way is removed, and marked when that is
    done: one that was interrupted is finished when the run is opened again. Where the file is
    damaged, the newest checkpoint tells what it said. Raises BadFile.
    """

    def __init__(self, directory: Path):
        self.directory = directory
        self.returns: list[Return] = []
        pending = False
        try:
            found = strict.parse(small(directory / NAME))
            strict.check(found)
            if found["format"] != FORMAT:
                raise ValueError("another format")
            self.returns, pending = [Return(**one) for one in found["returns"]], found["pending"]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError) as error:
            self._recall(f"{strict.clean(directory / NAME)}: {strict.quote(error)}")
        if pending:
            self._abandon()

    def _recall(self, damage: str) -> None:
        """Take what the newest checkpoint says instead. Raises BadFile where it says nothing."""
        found = state.newest(self.directory / "checkpoints")
        told = found.checkpoint.meta.get("returns") if found else None
        try:
            self.returns = [Return(**one) for one in told or ()]
        except (TypeError, ValueError):
            self.returns = []
        if not self.returns:
            raise BadFile(damage)
        self._write(pending=False)

    @property
    def told(self) -> list[dict[str, Any]]:
        """The returns as plain values, as every checkpoint after them holds them too."""
        return [asdict(one) for one in self.returns]

    def __len__(self) -> int:
        return len(self.returns)

    def before(self, step: int) -> int:
        """How many of the returns led to this step or to one before it: they hold there."""
        return sum(one.to <= step for one in self.returns)

    def add(self, at: int, to: int, reason: str) -> None:
        """Go back: checkpoints (the best too), generator and pictures after `to` are removed.

        Raises DiskFailure.
        """
        self.returns.append(Return(at, to, reason))
        self._write(pending=True)
        self._abandon()

    def _abandon(self) -> None:
        to = self.returns[-1].to
        state.discard(self.directory / "checkpoints", to)
        for name in ("best.safetensors", "generator.safetensors"):
            state.discard_later(self.directory / name, to)
        for path in (self.directory / "samples").glob("step-*.png"):
            match = _PICTURE.fullmatch(path.name)
            if match and int(match[1]) > to:
                with suppress(OSError):
                    path.unlink()
        self._write(pending=False)

    def _write(self, pending: bool) -> None:
        told: dict[str, Any] = {"format": FORMAT, "pending": pending}
        text = json.dumps(told | {"returns": self.told})
        disk.replace(self.directory / NAME, f"{text}\n".encode())
