"""Tell, and go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gan_cli.policy import Lights, Ruling


@dataclass(frozen=True)
class Warn:
    """A light that turns yellow or red is told, and nothing is done about it.

    A number that is not finite ends the run as failed; the last checkpoint was written before.

    Needs: nothing.
    Trouble: a run goes on for hours after its samples have collapsed: policy=stop.
    """

    returns: ClassVar[bool] = False
    acts: ClassVar[bool] = False
    signs: ClassVar[None] = None

    def __call__(self, looks: Sequence[Lights], returned: int) -> Ruling:
        """Go on."""
        return Ruling.GO_ON

    def failed(self, returned: int) -> Ruling:
        """Stop: there is nothing to go on with."""
        return Ruling.STOP

    def factor(self, player: str) -> float:
        """1: nothing changes."""
        return 1.0
