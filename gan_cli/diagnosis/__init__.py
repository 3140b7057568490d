"""What goes wrong in a run, told from numbers: signs with a green, yellow or red light each.

Pure: a sign is a function of what was measured at this look and at those before. Nothing here
needs torch, so that a run can be diagnosed from its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Light(IntEnum):
    """All is well, one should look, or the run is lost if nothing changes."""

    GREEN = 0
    YELLOW = 1
    RED = 2

    @property
    def word(self) -> str:
        """`green`, `yellow` or `red`."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Light:
        """The light of a word; ValueError for any other."""
        if word not in {light.word for light in cls}:
            raise ValueError("no light")
        return cls[word.upper()]


@dataclass(frozen=True)
class Sign:
    """A light, the number it goes by, the limit next to that number, and a sentence.

    The limit is the one that was crossed, or of a green sign the one that would make it yellow.
    """

    light: Light
    value: float
    limit: float
    words: str


@dataclass(frozen=True)
class Look:
    """What was measured of a run at a step; what can't be measured of it is left out.

    Names, of the samples: `diversity`, `duplicates`, `classes`, `distance`; of D: `auc`, `slope`,
    `overfit`; of each player's updates since the last look: `gradient/g`, `gradient/d`, …, and of
    its first ones `first/g`, …; of its weights `weights/g`, …, and at the start `begun/g`, …;
    `failed` where a number was not finite.
    """

    step: int
    measured: Mapping[str, float] = field(default_factory=dict)


COLLAPSE = ("diversity", "duplicates", "classes")
"""The signs of a generator that makes little of all there is."""


def light(found: Mapping[str, Sign]) -> Light:
    """The worst of all."""
    return max((sign.light for sign in found.values()), default=Light.GREEN)
