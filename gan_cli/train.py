"""Training: a run directory, a session, and the loop between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch

from gan_cli import build, dist
from gan_cli.batch import Batch
from gan_cli.best import Best, Watcher
from gan_cli.build import Config, Parts
from gan_cli.console import Console
from gan_cli.errors import NumericalFailure, Stopped
from gan_cli.follow import (
    Follower,
    Helping,
    Leading,
    Obeying,
    Silent,
    Unseen,
    agreed,
)
from gan_cli.greeting import farewell, greet
from gan_cli.keeper import Keeper
from gan_cli.log import Log
from gan_cli.policy import Ruling
from gan_cli.randomness import reseed
from gan_cli.rewinds import Return
from gan_cli.run import Run
from gan_cli.session import Session, make
from gan_cli.show import Show
from gan_cli.signals import Interrupt
from gan_cli.status import Telling
from gan_cli.watch import Watch


def launch(
    config: Config,
    choices: dict[str, str],
    overrides: list[str],
    argv: list[str],
    watcher: Watcher | None = None,
) -> None:
    """One run, from its command to its last checkpoint; or what is left of it.

    `watcher` is told what is measured of it, and may end it.

    Raises UserMistake before anything is written when the configuration can't be right, Stopped
    after saving when a signal asked for it, Lost after saving when its policy ended it,
    NumericalFailure and DiskFailure as they happen.
    """
    made = build.parts(config)
    with ExitStack() as stack:
        stack.enter_context(dist.joined(made.hardware.place()))
        device = made.hardware.claim()
        dist.use(device)
        config = config | {"batch_size": made.hardware.batch_size(config["batch_size"])}
        console = Console.silent() if dist.rank() else Console.make()
        asked = Asked(config, choices, overrides, watcher, console)
        if dist.rank():
            while _follows(asked, made, device):
                made = build.parts(config)
            return
        run = stack.enter_context(Run.open(config, choices, overrides, argv))
        while _goes_back(asked, run, made, device):
            made = build.parts(config)  # what remembers begins afresh


@dataclass(frozen=True)
class Asked:
    """A run as it was asked for, and where it is told."""

    config: Config
    choices: dict[str, str]
    overrides: list[str]
    watcher: Watcher | None
    console: Console


def _goes_back(asked: Asked, run: Run, made: Parts, device: torch.device) -> bool:
    """Train from the last checkpoint on; whether the run went back, and is to go on there."""
    config, choices, console = asked.config, asked.choices, asked.console
    with ExitStack() as stack:
        session = make(config, made, device, asked.overrides)
        keeper = Keeper(run, session, config, choices)
        watch = Watch.make(run, session, made, config)
        start = keeper.restore(console) or keeper.begin(console)
        best = Best.make(run, session, made, config, choices)
        for note in (*run.notes, *run.changes):
            console.say(note)
        run.notes, run.changes = [], []
        if best:
            best.watcher = asked.watcher
            if dist.size() > 1:
                best.sampler = Leading.of(best.sampler)
            console.say(best.about)
            best.resume(start, console)
        tired = best.tired if best and start else ""
        stack.callback(watch.close)
        watch.resume(start)
        dist.told((start, tired, watch.rewinds.returns))
        _spread(session)
        greet(console, run, session, start, tired)
        if start >= session.steps or tired:
            return False
        interrupt = stack.enter_context(Interrupt(GRACE if dist.size() > 1 else 0.0))
        telling = stack.enter_context(Telling(run.dir, start, session.steps))
        log = Log(run, console, config["log_every"], config["tensorboard"], start)
        stack.callback(log.close)
        console.start(session.steps, start)
        watch.show(console)
        stack.callback(console.stop)
        show = Show(run, session, config, console, log)
        looks = Looks(show, best, watch, console)
        if (back := _train(session, keeper, log, looks, interrupt, start)) is not None:
            telling.verdict = ("running", f"went back to step {back}")
            return True
        telling.verdict = _verdict(best, watch)
        console.stop()
        if show.summary:
            console.say(show.summary)
        console.say(farewell(run, config, session, best))
    return False


def _follows(asked: Asked, made: Parts, device: torch.device) -> bool:
    """As `_goes_back`, on a rank that writes nothing."""
    config, console = asked.config, asked.console
    session = make(config, made, device, asked.overrides)
    nothing: tuple[int, str, list[Return]] = (0, "", [])
    start, tired, returns = dist.told(nothing)
    _spread(session)
    if start >= session.steps or tired:
        return False
    best = Helping(session) if made.metric else None
    looks = Looks(Unseen(), best, Obeying(session, made, config, returns), console)
    keeper, log = Follower(session, config), Silent(config["log_every"])
    with Interrupt(GRACE) as interrupt:
        return _train(session, keeper, log, looks, interrupt, start) is not None


GRACE = 20.0
"""Seconds in which torchrun's own Ctrl-C is not yet a second one."""


def _spread(session: Session) -> None:
    """Give every rank the players as rank 0 has them."""
    if dist.size() > 1:
        state = {name: tensor.cpu() for name, tensor in session.method.state().items()}
        session.method.restore(dist.told(state))


@dataclass(frozen=True)
class Looks:
    """How a run is looked at while it trains: samples shown, and measured where it is asked for;
    and whether all is well."""

    show: Show
    best: Best | None
    watch: Watch
    console: Console


def train(
    session: Session, keeper: Keeper, log: Log, looks: Looks, interrupt: Interrupt, start: int
) -> bool:
    """The loop: everyone learns once a step, and now and then is looked at and kept.

    The randomness of a step is a function of the seed and the step alone, so that a run that was
    stopped goes on as if it had not been. True where the policy wants to go back. Raises Lost,
    after saving, where it wants to stop.
    """
    config, watch = keeper.config, looks.watch
    for step in range(start, session.steps):
        reseed(config["seed"], step)
        rates = _pace(session, step) | watch.slow(step)
        facts = session.step(_batches(session, step), step)
        log.step(step + 1, facts, _counts(session) | rates | watch.facts)
        signum = dist.agreed(interrupt.signum)  # a later one is met by the next step
        done = step + 1
        if (ruling := _ruling(session, log, looks, done)) is Ruling.GO_BACK:
            return True
        last = done == session.steps or signum is not None or ruling is Ruling.STOP
        if looks.best and (done == session.steps or done % config["evaluate_every"] == 0):
            log.flush()
            _measure(looks.best, done, log, looks.console, keeper)
            last = last or bool(looks.best.tired)
        keep = last or done % config["checkpoint_every"] == 0
        if keep:
            log.flush()  # raises before anything is kept when a number ran away
        if last or done % config["sample_every"] == 0:
            agreed(partial(looks.show, done, last))
        if keep:
            keeper.save(done, watch.spare)
        if ruling is Ruling.STOP:
            raise watch.lost(done)
        if signum is not None:
            raise Stopped(signum, f"stopped and saved at step {done}; the same command goes on")
        if last and looks.best and looks.best.tired:
            looks.console.say(f"stopped early at step {done}: {looks.best.tired}")
            return False
    return False


def _measure(best: Best, done: int, log: Log, console: Console, keeper: Keeper) -> None:
    """Measure the generator, and agree on whether the run ends."""

    def measured() -> str:
        try:
            best(done, log, console, keeper.best(done))
        finally:
            if isinstance(best.sampler, Leading):
                best.sampler.release()
        return best.tired

    best.ended = agreed(measured)


def _ruling(session: Session, log: Log, looks: Looks, done: int) -> Ruling:
    """What is to be done after this step: here it is decided, once for everybody who trains."""
    if not looks.watch.due(done, session.steps):
        return Ruling.GO_ON
    log.flush()
    return agreed(lambda: looks.watch(done, log, looks.console))


def _train(
    session: Session, keeper: Keeper, log: Log, looks: Looks, interrupt: Interrupt, start: int
) -> int | None:
    """Train; the step of the checkpoint that the run went back to, where it did."""
    watch = looks.watch
    if start == 0 and watch.policy.returns:
        keeper.save(0)  # somewhere to go back to
    try:
        if not train(session, keeper, log, looks, interrupt, start):
            return None
        at, reason = watch.looks[-1].step, watch.reason
    except NumericalFailure as failure:
        ruling, at = dist.told(watch.failed(looks.console))
        if ruling is not Ruling.GO_BACK:
            raise
        reason = str(failure).partition("; ")[0].partition(": ")[2]
    return dist.told(watch.go_back(at, reason, looks.console))


def _batches(session: Session, step: int) -> Iterator[Batch]:
    per_step = session.method.batches_per_step
    return (session.feed(index) for index in range(step * per_step, (step + 1) * per_step))


def _pace(session: Session, step: int) -> dict[str, float]:
    progress = step / session.steps
    session.course(progress)
    factor = session.schedule(progress)
    players = session.method.players.items()
    return {f"learning_rate/{name.lower()}": player.pace(factor) for name, player in players}


def _counts(session: Session) -> dict[str, int]:
    """Images of the data learnt from, and updates of each player."""
    method = session.method
    players = method.players.items()
    return {"images": method.images} | {f"updates/{n.lower()}": p.updates for n, p in players}


def _verdict(best: Best | None, watch: Watch) -> tuple[str, str]:
    """What has become of a run that went to its end."""
    if watch.collapsed:
        return "collapsed", watch.collapsed
    return "done", f"stopped early: {best.tired}" if best and best.tired else ""
