"""What happened in a run, told from its files: symptoms, the curves that show them, remedies.

Pure, and without torch: a `Folder` gives numbers and settings, `findings.of` makes `Findings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gan_cli.diagnosis import Light


@dataclass(frozen=True)
class Curve:
    """A number over the steps, and the limits it is held against, by what they mean."""

    name: str
    steps: Sequence[int]
    values: Sequence[float]
    limits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Symptom:
    """A sign that is yellow or red at the last look: since when, in words, and its curve."""

    name: str
    light: Light
    since: int
    step: int
    words: str
    curve: Curve | None


@dataclass(frozen=True)
class Remedy:
    """Settings to try next, why, and who found out.

    `drops` are the groups and keys whose settings in the old command make way. `resume` is the
    directory of the run, where that goes on under these settings; '' where another one is made.
    """

    changes: tuple[str, ...]
    reason: str
    source: str
    drops: tuple[str, ...] = ()
    resume: str = ""


@dataclass(frozen=True)
class Findings:
    """Everything there is to say of a run.

    `story` is what became of it; `calm` are the curves of signs that are green; `passed` are signs
    that were on and are green again, in words; `notes` is what else was seen; `blind` what can't be
    told, and what would tell it; `remedies` are in the order in which they should be tried, more
    than are shown.
    """

    story: str
    ill: bool
    symptoms: tuple[Symptom, ...]
    calm: tuple[Curve, ...]
    passed: tuple[str, ...]
    notes: tuple[str, ...]
    blind: tuple[str, ...]
    remedies: tuple[Remedy, ...]
    looks: int
