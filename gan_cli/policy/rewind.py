"""Go back to when all was well, and go on more slowly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gan_cli.policy import Lights, Ruling, check_patience, check_signs, lasting


@dataclass(frozen=True)
class Rewind:
    """A run goes back to its last good checkpoint, and on from there at other learning rates.

    It does so when one of its lights is red at `patience` looks in a row, or a number is not
    finite. Each time the learning rates are multiplied by `lr`, that of D by `d_lr` (null: as the
    others). After so many `times`, it ends as under policy=stop. A checkpoint is good where no look
    at it or beside it was red; the newest of these is kept until there is a newer one. Rows after
    it are cut: the run is that of its last return. `signs` are those that count, null for all.

    Needs: diagnose.every, a number of steps.
    Trouble: it goes back to the same step again and again: a smaller policy.lr, or another setting
    altogether, since it may be no matter of the learning rate.
    """

    lr: float = 0.5
    d_lr: float | None = None
    times: int = 3
    patience: int = 2
    signs: tuple[str, ...] | None = None
    returns: ClassVar[bool] = True
    acts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, value in (("lr", self.lr), ("d_lr", self.d_lr)):
            if value is not None and not 0 < value <= 1:
                told = "is what a learning rate is multiplied by, above 0 and up to 1"
                raise ValueError(f"{name} {told}, not {value}")
        if self.lr == 1 and self.d_lr in (None, 1):
            raise ValueError("lr=1: nothing would change, and the same would happen again: lr=0.5")
        if self.times < 1:
            raise ValueError(f"times is how often it may go back, 1 or more, not {self.times}")
        check_patience(self.patience)
        check_signs(self.signs)

    def __call__(self, looks: Sequence[Lights], returned: int) -> Ruling:
        """Go back at a red that lasts, and stop where that has been done often enough."""
        lasts = lasting(looks, self.signs) >= self.patience
        return self.failed(returned) if lasts else Ruling.GO_ON

    def failed(self, returned: int) -> Ruling:
        """Go back, unless that has been done often enough."""
        return Ruling.GO_BACK if returned < self.times else Ruling.STOP

    def factor(self, player: str) -> float:
        """`d_lr` for every D, else `lr`."""
        slower = self.d_lr if player.startswith("D") else None
        return self.lr if slower is None else slower
