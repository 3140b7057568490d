"""Where a run stands before it goes on: what was learnt and seen of it, and what is left to do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import torch

from gan_cli import dist, state
from gan_cli.best import Best, Watcher
from gan_cli.build import Config, Parts
from gan_cli.circumstances import Circumstances, guessed
from gan_cli.console import Console
from gan_cli.errors import BadFile, Lost, UserMistake
from gan_cli.follow import Leading, spread
from gan_cli.greeting import greet
from gan_cli.keeper import Keeper
from gan_cli.looks import Beside, measured_at
from gan_cli.record import Record
from gan_cli.rewinds import Return
from gan_cli.run import Run
from gan_cli.session import Session, make
from gan_cli.status import settle
from gan_cli.watch import Watch


@dataclass(frozen=True)
class Asked:
    """A run as it was asked for, and the device it has."""

    config: Config
    choices: dict[str, str]
    overrides: list[str]
    device: torch.device
    beside: Beside | None = None


@dataclass(frozen=True)
class Way:
    """How far a run has come, as all ranks are told.

    start: the step it stands at. tired: why it ended before its last step, or ''. owed: whether
    that step is still to be measured. returns: how often it went back, and where to.
    """

    start: int = 0
    tired: str = ""
    owed: bool = False
    returns: Sequence[Return] = ()

    def over(self, steps: int) -> bool:
        """Whether nothing is left to do, where so many steps are asked for."""
        return bool(self.tired) or (self.start >= steps and not self.owed)


@dataclass(frozen=True)
class Standing:
    """A session at its last checkpoint, and those who keep, watch and measure it."""

    session: Session
    keeper: Keeper
    watch: Watch
    best: Best | None
    way: Way


def stand(
    asked: Asked,
    made: Parts,
    run: Run,
    console: Console,
    watcher: Watcher | None,
    stack: ExitStack,
) -> Standing:
    """Put a run where it was left, say so, and tell the other ranks; `stack` closes what it opens.

    Raises UserMistake and BadFile, DiskFailure, and Lost where its policy has ended it.
    """
    config = asked.config
    session = make(config, made, asked.device, asked.overrides, begun(run))
    keeper = Keeper(run, session, config, asked.choices)
    watch = Watch.make(run, session, made, config)
    stack.callback(watch.close)
    keeper.rewinds = watch.rewinds
    start = keeper.restore(console) or keeper.begin(console)
    best = Best.make(run, session, made, config, asked.choices)
    for note in run.news():
        console.say(note)
    if best:
        best.watcher = watcher
        best.sampler = Leading.of(best.sampler) if dist.size() > 1 else best.sampler
        console.say(best.about)
        best.resume(start, console)
    tired = best.tired if best and start else ""
    due = start > 0 and not tired and measured_at(start, session.steps, config)
    owed = best is not None and due and best.newest < start
    try:
        watch.resume(start)
    except Lost as lost:
        settle(run.dir, start, session.steps, (lost.state, str(lost)))
        raise
    way = dist.told(Way(start, tired, owed, watch.rewinds.returns))
    spread(session)
    greet(console, run, session, start, tired, owed)
    return Standing(session, keeper, watch, best, way)


def begun(run: Run) -> Circumstances | None:
    """In which circumstances the run was trained so far, as far as was written down; None where
    nothing is left of it that could go on."""
    if not state.steps(run.checkpoints):
        return None
    with suppress(BadFile, UserMistake):
        record = Record.read(run.dir)
        told = [one["circumstances"] for one in record.sessions if one.get("circumstances")]
        return guessed(record.versions, record.config, told[-1] if told else None)
    with suppress(BadFile):  # a record that is lost: the checkpoint says it, too
        if found := state.newest(run.checkpoints):
            return guessed({}, {}, found.checkpoint.meta.get("circumstances"))
    return {}
