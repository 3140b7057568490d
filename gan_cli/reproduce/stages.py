"""The sessions of a run, as far as they show in what it came to: from where to where, of how many
steps each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gan_cli.circumstances import Circumstances, guessed
from gan_cli.record import Record


@dataclass(frozen=True)
class Stage:
    """Steps after `start` up to `end`, in a session of the budget `steps`; None as it is asked now.

    `circumstances`: in which they were made.
    """

    start: int
    end: int
    steps: int | None
    circumstances: Circumstances


def stages(record: Record, end: int, begin: int = 0) -> list[Stage]:
    """What was trained in which session, of the steps after `begin` up to `end`.

    A session that began again before the end of an earlier one has replaced what lay behind.
    Sessions that trained nothing, or of which nothing more was written down, are passed over.
    """
    known = [one for one in record.sessions if _step(one, "from") is not None]
    starts: list[tuple[int, int | None, Circumstances]] = []
    for one in known:
        start = _step(one, "from") or 0
        while starts and starts[-1][0] >= start:
            starts.pop()
        latest = one.get("circumstances")
        told = guessed(record.versions, record.config, latest)
        starts.append((start, _step(one, "steps"), told))
    if not starts or starts[0][0] > begin:
        starts.insert(0, (begin, None, guessed(record.versions, record.config)))
    ends = [*(start for start, _, _ in starts[1:]), end]
    found = [
        Stage(max(start, begin), min(until, end), steps, told)
        for (start, steps, told), until in zip(starts, ends, strict=True)
    ]
    return [one for one in found if one.start < one.end]


def _step(session: dict[str, Any], name: str) -> int | None:
    value = session.get(name)
    return value if type(value) is int and 0 <= value < 10**15 else None
