"""Leave out single updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gan_cli.policy import Lights, Ruling


@dataclass(frozen=True)
class Skip:
    """An update whose gradient or loss is not finite is not made, and all is as it was before.

    Weights, moments and averages don't move, and what a forward pass moves besides (the statistics
    of batch norm, the vectors of spectral norm, what a penalty remembers) is put back. Where both
    players move at once, neither does. Rows of `metrics.jsonl` count such updates as `skipped/d`,
    `skipped/g`; the first is told with what was not finite. The run ends, saved and failed, when a
    player skipped more than `most` updates in a row: its weights stood still meanwhile, so what
    stopped that many batches will stop the next ones too. And when it skipped more than `most` in
    all that are more than a `share` of its updates: one bad picture in a data set comes back every
    epoch and does no harm, but a run that misses one batch in a hundred is another than was asked
    for. Red lights are told, as by policy=warn. On a GPU it waits for the device at every update.

    Needs: a method that follows gradients (not method=mixture).
    Trouble: it ends with more than `most` in a row: a smaller optimizer.lr, clip_grad=1, or
    policy=rewind, which goes back to before it began. Data that are at fault: what is told names
    the sample.
    """

    most: int = 10
    share: float = 0.01
    returns: ClassVar[bool] = False
    acts: ClassVar[bool] = False
    signs: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.most < 0:
            raise ValueError(f"most is a number of updates, 0 or more, not {self.most}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is a share of the updates, from 0 to 1, not {self.share}")

    def __call__(self, looks: Sequence[Lights], returned: int) -> Ruling:
        """Go on."""
        return Ruling.GO_ON

    def failed(self, returned: int) -> Ruling:
        """Stop: what is not finite now was no update that could be left out."""
        return Ruling.STOP

    def factor(self, player: str) -> float:
        """1: nothing changes."""
        return 1.0

    def endures(self, skipped: int, row: int, made: int) -> bool:
        """Whether a player may go on that skipped so many updates, the last `row` in a row."""
        often = skipped > self.most and skipped > self.share * (skipped + made)
        return row <= self.most and not often
