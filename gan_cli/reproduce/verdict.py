"""What came of training a run again: in words, as a table, and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from gan_cli.reproduce.artefacts import Pictures, Tensors
from gan_cli.reproduce.course import Column, Course
from gan_cli.written import Cell

FORMAT = "gan-reproduction/1"
MOST = 12
"""Columns or tensors that are shown, at most."""

Changed = dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Verdict:
    """All that was compared, up to step `end`, and what was not as it had been.

    tensors: None where the first run has no checkpoint of that step, or the new one did not get so
    far. circumstances: what differed, in words, each once. settings: those that gan has by another
    default now, and that were taken from the run.
    """

    course: Course
    tensors: Tensors | None
    pictures: Pictures
    end: int
    circumstances: list[str]
    settings: list[str]

    @property
    def same(self) -> bool:
        """Whether everything is the same, bit for bit, as far as was asked."""
        course, tensors = self.course, self.tensors
        rows = course.first is None and not course.missing and bool(course.rows)
        whole = course.step >= self.end or (tensors is not None and tensors.same)
        return rows and whole and (tensors is None or tensors.same) and self.pictures.same

    @property
    def close(self) -> bool:
        """Whether every row is the same within the tolerance."""
        return bool(self.course.rows) and self.course.apart is None and not self.course.missing

    @property
    def words(self) -> str:
        """The verdict in one line."""
        if self.same:
            return f"the same, bit for bit: {', '.join(self._counts())}"
        if not self.course.rows:
            return "nothing could be compared: the two have no row of metrics in common"
        return f"{self._how_far()}: {self._why()}"

    def _counts(self) -> list[str]:
        counts = {"row": self.course.rows}
        if self.pictures.count:
            counts["picture"] = self.pictures.count
        if self.tensors is not None:
            counts["tensor"] = self.tensors.count
        told = {word: counts[word] for word in ("row", "tensor", "picture") if word in counts}
        return [f"{n:,} {word}{'s' * (n != 1)}" for word, n in told.items()]

    def _how_far(self) -> str:
        course, limit = self.course, f"the same to rounding ({self.course.tolerance:g})"
        if course.apart is not None:
            before = course.apart.step - 1 - course.begin
            if before <= 0:
                return f"not the same from step {course.apart.step:,} on"
            if course.first is not None and course.first.step == course.apart.step:
                return f"the same, bit for bit, for {before:,} steps, then apart"
            return f"{limit} for {before:,} steps, then apart"
        if course.first is not None:
            return f"{limit} for all {course.rows:,} rows, the same bits for {self._exact:,}"
        if course.missing:
            return f"not the same: {course.missing:,} rows are in one of the two alone"
        if self.tensors is not None and not self.tensors.same:
            names = [one.name for one in self.tensors.unequal] + self.tensors.alone
            return f"the rows are the same, but {len(names)} tensors are not ({names[0]})"
        if not self.pictures.same:
            count = len(self.pictures.unequal)
            return f"rows and tensors are the same, but {count} pictures are not"
        return f"the same as far as it went, step {course.step:,} of {self.end:,}"

    @property
    def _exact(self) -> int:
        first = self.course.first
        return first.step - 1 - self.course.begin if first else self.course.rows

    def _why(self) -> str:
        if self.circumstances:
            return f"expected, since {'; '.join(self.circumstances)}"
        return "though nothing that should matter differs"

    def compared(self) -> tuple[list[str], list[list[Cell]]]:
        """What was compared, and how much of it is the same: headers and rows."""
        course, tensors, pictures = self.course, self.tensors, self.pictures
        unlike = max((one.differing for one in course.columns.values()), default=0)
        worst = [one.worst.share for one in course.columns.values() if one.worst]
        first = [f"{course.first.column}, step {course.first.step:,}"] if course.first else []
        told = [_part("rows", course.rows, unlike, first, worst)]
        if tensors is not None:
            names = [one.name for one in tensors.unequal] + tensors.alone
            shares = [one.share for one in tensors.unequal]
            told.append(_part("tensors", tensors.count, len(tensors.unequal), names, shares))
        if pictures.count:
            unequal = pictures.unequal
            told.append(_part("pictures", pictures.count, len(unequal), unequal, []))
        return ["", "compared", "the same", "first that is not", "largest difference"], told

    def columns(self) -> tuple[list[str], list[list[Cell]]]:
        """The columns that differ, those first that did so first: headers and rows."""
        told = [_row(one) for one in self._differing()[:MOST]]
        return ["column", "rows that differ", "from step", "largest difference", "at step"], told

    def _differing(self) -> list[Column]:
        found = [one for one in self.course.columns.values() if one.first]
        return sorted(found, key=lambda one: one.first.step if one.first else 0)

    def json(self) -> str:
        """Strict JSON of all of it."""
        course = self.course
        first, apart = (
            gap and {"step": gap.step, "column": gap.column, "share": _finite(gap.share)}
            for gap in (course.first, course.apart)
        )
        told: dict[str, Any] = {
            "format": FORMAT,
            "of": str(course.original.parent),
            "verdict": self.words,
            "same": self.same,
            "close": self.close,
            "tolerance": course.tolerance,
            "steps": {"from": course.begin, "to": self.end, "compared": course.step},
            "rows": {"compared": course.rows, "missing": course.missing},
            "first": first,
            "apart": apart,
            "columns": {
                one.name: {
                    "differing": one.differing,
                    "first": one.first.step,
                    "share": _finite(one.worst.share),
                }
                for one in self._differing()
                if one.first and one.worst
            },
            "tensors": self._tensors(),
            "pictures": {
                "compared": self.pictures.count,
                "unequal": self.pictures.unequal,
                "alone": self.pictures.alone,
            },
            "circumstances": self.circumstances,
            "settings": self.settings,
        }
        return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def _tensors(self) -> dict[str, Any] | None:
        if self.tensors is None:
            return None
        unequal = {one.name: _finite(one.share) for one in self.tensors.unequal}
        return {
            "step": self.tensors.step,
            "compared": self.tensors.count,
            "unequal": unequal,
            "alone": self.tensors.alone,
        }


def _part(what: str, count: int, unlike: int, names: list[str], shares: list[float]) -> list[Cell]:
    largest = _share(max(shares)) if shares else None
    return [what, count, count - unlike, names[0] if names else "", largest]


def _row(one: Column) -> list[Cell]:
    first, worst = one.first, one.worst
    assert first is not None
    assert worst is not None
    return [one.name, one.differing, first.step, _share(worst.share), worst.step]


def _share(share: float) -> str:
    return f"{share:.1e}" if math.isfinite(share) else "no number"


def _finite(share: float) -> float | None:
    """The share, or None for a difference that is no number."""
    return share if math.isfinite(share) else None
