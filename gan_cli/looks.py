"""What is done about a run between its steps: it is watched, measured, shown and kept.

On several ranks all of them come by here at the same steps, and go on with what rank 0 found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, cast

from gan_cli import dist
from gan_cli.best import Best
from gan_cli.console import Console
from gan_cli.errors import NumericalFailure
from gan_cli.follow import Leading
from gan_cli.keeper import Keeper
from gan_cli.log import Log
from gan_cli.policy import Ruling
from gan_cli.show import Show
from gan_cli.watch import Watch

T = TypeVar("T")


@dataclass(frozen=True)
class Looks:
    """How a run of so many steps is looked at and kept while it trains.

    `best` is None where nothing is measured. A number that is not finite is met by all ranks, as
    NumericalFailure, whoever found it.
    """

    steps: int
    keeper: Keeper
    log: Log
    show: Show
    best: Best | None
    watch: Watch
    console: Console

    def ruling(self, done: int) -> Ruling:
        """What is to be done after this step, if all is not well; GO_ON where nobody looks."""
        if not self.watch.due(done, self.steps):
            return Ruling.GO_ON
        self.log.flush()
        return agreed(partial(self.watch, done, self.log, self.console))

    def measured(self, done: int) -> str:
        """Measure the generator where that is due; why the run should end, or ''."""
        every = self.keeper.config["evaluate_every"]
        if self.best is None or not (done == self.steps or done % every == 0):
            return ""
        self.log.flush()
        return agreed(partial(self._measured, self.best, done))

    def _measured(self, best: Best, done: int) -> str:
        try:
            best(done, self.log, self.console, self.keeper.best(done))
        finally:
            if isinstance(best.sampler, Leading):
                best.sampler.release()
        return best.tired

    def shown(self, done: int, last: bool) -> None:
        """Show samples; at the last step of a session, what it came to."""
        agreed(partial(self.show, done, last))

    def kept(self, done: int) -> None:
        """Write a checkpoint, and what may be gone back to stays."""
        agreed(partial(self.keeper.save, done, self.watch.spare))

    def back(self, failure: NumericalFailure | None) -> int:
        """Go back after a ruling, or a failure; the step of the checkpoint it went back to.

        Raises the failure where the policy does not go back for it, Lost where there is no way.
        """
        if failure is None:
            at, reason = self.watch.looks[-1].step, self.watch.reason
        else:
            ruling, at = dist.told(self.watch.failed(self.console))
            if ruling is not Ruling.GO_BACK:
                raise failure
            reason = str(failure).partition("; ")[0].partition(": ")[2]
        return dist.told(self.watch.go_back(at, reason, self.console))

    @property
    def verdict(self) -> tuple[str, str]:
        """What has become of a run that went to its end, and why."""
        if self.watch.collapsed:
            return "collapsed", self.watch.collapsed
        return "done", f"stopped early: {self.best.tired}" if self.best and self.best.tired else ""


def agreed(look: Callable[[], T]) -> T:
    """What rank 0 finds, on all ranks; a number that is not finite is met by all of them too."""
    if dist.size() == 1:
        return look()
    try:
        found: tuple[T | None, str] = look(), ""
    except NumericalFailure as error:
        found = None, str(error)
    value, failure = dist.told(found)
    if failure:
        raise NumericalFailure(failure)
    return cast(T, value)
