"""What is done about a run between its steps: it is watched, measured, shown and kept.

On several ranks all of them come by here at the same steps, and go on with what rank 0 found.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar, cast

from gan_cli import dist
from gan_cli.best import Best
from gan_cli.build import Config
from gan_cli.console import Console
from gan_cli.errors import DiskFailure, Lost, NumericalFailure
from gan_cli.follow import Leading
from gan_cli.guard import overdone
from gan_cli.inquest import inquest, remedy
from gan_cli.keeper import Keeper
from gan_cli.log import Log
from gan_cli.policy import Ruling
from gan_cli.show import Show
from gan_cli.signals import Abandoned, Interrupt
from gan_cli.watch import Watch

T = TypeVar("T")


class Beside(Protocol):
    """Who goes along with a run, and may end it."""

    def begins(self, fingerprint: str) -> None:
        """Told which data a session trains on, before its first step; raises UserMistake."""
        ...

    def __call__(self, step: int) -> str:
        """Told after each step; a text ends the run, and says why."""
        ...


@dataclass(frozen=True)
class Looks:
    """How a run of so many steps is looked at and kept while it trains.

    `best` is None where nothing is measured, `beside` where nobody goes along. `owed`: the step at
    which the run goes on was not measured when it was due. A number that is not finite is met by
    all ranks, as NumericalFailure, whoever found it.
    """

    steps: int
    keeper: Keeper
    log: Log
    show: Show
    best: Best | None
    watch: Watch
    console: Console
    beside: Beside | None = None
    owed: bool = False

    def ruling(self, done: int) -> Ruling:
        """What is to be done after this step, if all is not well; GO_ON where nobody looks."""
        if self._worn(done):
            return Ruling.STOP
        if not self.watch.due(done, self.steps):
            return Ruling.GO_ON
        self.log.flush()
        return agreed(partial(self.watch, done, self.log, self.console))

    def due(self, done: int) -> bool:
        """Whether the generator is measured at this step."""
        return self.best is not None and measured_at(done, self.steps, self.keeper.config)

    def measured(self, done: int, interrupt: Interrupt) -> str:
        """Measure the generator where that is due; why the run should end, or ''.

        On one rank a request to stop ends the measurement, as if it had not begun.
        """
        if self.best is None or not self.due(done):
            return self.beside(done) if self.beside else ""
        self.log.flush()
        tired = agreed(partial(self._measured, self.best, done, interrupt))
        return tired or (self.beside(done) if self.beside else "")

    def _measured(self, best: Best, done: int, interrupt: Interrupt) -> str:
        meanwhile = interrupt.abandoning() if dist.size() == 1 else nullcontext()
        try:
            best(done, self.log, self.console, self.keeper.best(done), meanwhile)
        except Abandoned:
            self.console.say(f"step {done}: not measured, which is made up when the run goes on")
            return ""
        finally:
            if isinstance(best.sampler, Leading):
                best.sampler.release()
        return best.tired

    def shown(self, done: int, last: bool) -> None:
        """Show samples; at the last step of a session, what it came to."""
        agreed(partial(self.show, done, last))

    def saved(self, done: int, last: bool) -> None:
        """Show samples where that is due, and write a checkpoint.

        Raises NumericalFailure before anything is kept when a number ran away.
        """
        self.log.flush()
        if last or self.pictured(done):
            self.shown(done, last)
        self.kept(done)

    def pictured(self, done: int) -> bool:
        """Whether samples are shown at this step."""
        return done % int(self.keeper.config["sample_every"]) == 0

    def kept(self, done: int) -> None:
        """Write a checkpoint, and what may be gone back to stays."""
        agreed(partial(self._kept, done))

    def _kept(self, done: int) -> None:
        try:
            self.keeper.save(done, self.watch.spare)
        except DiskFailure as error:
            last = self.keeper.last()
            left = f"what was saved is {last}" if last else "nothing was saved before"
            said = f"{error}; {left}; once there is room, the same command goes on"
            raise DiskFailure(said) from error

    def cause(self, error: RuntimeError | ValueError) -> NumericalFailure:
        """The number that is not finite for which a step raised an error.

        Raises the error itself where there is none.
        """
        if dist.size() > 1:  # the others are elsewhere
            raise error
        try:
            self.log.flush()
        except NumericalFailure as failure:
            return failure
        step = self.log.newest + 1
        if not self._found(step, NumericalFailure("")):
            raise error
        return NumericalFailure(f"step {step}: {error}", step)

    def _found(self, step: int, failure: NumericalFailure) -> str:
        """What was not finite at a step, in words; '' where no more is known than was told."""
        session, fresh = self.keeper.session, step >= self.log.newest
        return inquest(session, step, failure.bad, fresh)

    def _told(self, step: int, found: str, failure: NumericalFailure) -> NumericalFailure:
        """The failure with all that is known: what it was, what is left, and what may help."""
        last = dist.told(self.keeper.last())
        left = f"the last good checkpoint is {last}" if last else "no checkpoint was written before"
        if times := len(self.watch.rewinds):
            left = f"it has gone back {times} times, and does no more (policy.times); {left}"
        said = f"step {step}: {found}; {left}; {remedy(found)}" if found else f"{failure}; {left}"
        return NumericalFailure(said, step, failure.bad)

    def _worn(self, done: int) -> bool:
        """Whether too many updates were skipped. Those of this step are told, the first for all."""
        guard = self.keeper.session.guard
        if guard is None or not guard.news:
            return False
        (first, *_), guard.news = guard.news, []
        found = inquest(self.keeper.session, done, first.bad, fresh=True)
        if not guard.last:
            told = "this update is not made, nor are later ones like it, which are only counted"
            self.console.warn(f"step {done}: {found}; {told} (policy=skip)")
        guard.last = f"step {done}: {found}"
        return bool(overdone(guard.players, self.watch.policy))

    def lost(self, done: int) -> Lost:
        """The end of the run by its policy, at this step."""
        guard = self.keeper.session.guard
        if guard is None:
            return self.watch.lost(done)
        said = f"{overdone(guard.players, self.watch.policy)}; the last time, {guard.last}"
        return Lost("failed", f"stopped and saved at step {done}: {said}")

    def back(self, failure: NumericalFailure | None) -> int:
        """Go back after a ruling, or a failure; the step of the checkpoint it went back to.

        Raises the failure where the policy does not go back for it, Lost where there is no way.
        """
        if failure is None:
            at, reason = self.watch.looks[-1].step, self.watch.reason
        else:
            at = failure.step or self.log.newest
            found = self._found(at, failure)
            reason = found or str(failure)
            if dist.told(self.watch.failed(at, self.console)) is not Ruling.GO_BACK:
                raise self._told(at, found, failure) from failure
        return dist.told(self.watch.go_back(at, reason, self.console))


def measured_at(step: int, steps: int, config: Config) -> bool:
    """Whether a run of so many steps is measured at this one, where it is measured at all."""
    return step == steps or (step % int(config["evaluate_every"]) == 0 and 0 < step < steps)


def verdict(watch: Watch, best: Best | None) -> tuple[str, str]:
    """What has become of a run that went to its end, and why."""
    if watch.collapsed:
        return "collapsed", watch.collapsed
    return "done", f"stopped early: {best.tired}" if best and best.tired else ""


def agreed(look: Callable[[], T]) -> T:
    """What rank 0 finds, on all ranks; a number that is not finite, or a disk that is full, is met
    by all of them too."""
    if dist.size() == 1:
        return look()
    try:
        found: tuple[T | None, NumericalFailure | DiskFailure | None] = look(), None
    except (NumericalFailure, DiskFailure) as error:
        found = None, error
    value, failure = dist.told(found)
    if failure:
        raise failure
    return cast(T, value)
