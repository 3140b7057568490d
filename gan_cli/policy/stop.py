"""Stop a run that is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gan_cli.policy import Lights, Ruling, check_patience, check_signs, lasting


@dataclass(frozen=True)
class Stop:
    """A run ends, saved, when one of its lights is red at `patience` looks in a row.

    `signs` are those that count, null for all. Its state is then collapsed or failed, with the sign
    as the reason, and the command ends with exit code 7.

    Needs: diagnose.every, a number of steps.
    Trouble: a run that was getting better was stopped: more patience, or policy.signs without the
    one that was wrong.
    """

    patience: int = 2
    signs: tuple[str, ...] | None = None
    returns: ClassVar[bool] = False
    acts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_patience(self.patience)
        check_signs(self.signs)

    def __call__(self, looks: Sequence[Lights], returned: int) -> Ruling:
        """Stop at a red that lasts."""
        lasts = lasting(looks, self.signs) >= self.patience
        return Ruling.STOP if lasts else Ruling.GO_ON

    def failed(self, returned: int) -> Ruling:
        """Stop: there is nothing to go on with."""
        return Ruling.STOP

    def factor(self, player: str) -> float:
        """1: nothing changes."""
        return 1.0
