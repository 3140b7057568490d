"""Training: a run directory, a session, and the loop between them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from gan_cli import build, dist, record
from gan_cli.batch import Batch
from gan_cli.best import Watcher
from gan_cli.build import Config, Parts
from gan_cli.console import Console
from gan_cli.errors import GanError, NumericalFailure, Stopped
from gan_cli.fast import refused
from gan_cli.follow import (
    Follower,
    Helping,
    Obeying,
    Silent,
    Unseen,
    check_one_command,
    spread,
)
from gan_cli.greeting import farewell
from gan_cli.log import Log
from gan_cli.looks import Beside, Looks, verdict
from gan_cli.policy import Ruling
from gan_cli.randomness import reseed
from gan_cli.run import Run
from gan_cli.session import Session, make
from gan_cli.show import Show
from gan_cli.signals import Interrupt
from gan_cli.standing import Asked, Standing, Way, stand
from gan_cli.status import Telling, settle
from gan_cli.watch import Watch


def launch(
    config: Config,
    choices: dict[str, str],
    overrides: list[str],
    argv: list[str],
    watcher: Watcher | None = None,
    beside: Beside | None = None,
) -> None:
    """One run, from its command to its last checkpoint; or what is left of it.

    `watcher` is told what is measured of it, and may end it; `beside` goes along step by step, on
    one rank.

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
        check_one_command(config)
        asked = Asked(config, choices, overrides, device, beside)
        if dist.rank() == 0:
            run = stack.enter_context(Run.open(config, choices, overrides, argv))
            attempt = partial(_lead, asked, run, Console.make(), watcher)
        else:
            attempt = partial(_follow, asked, Console.silent())
        while attempt(made):  # the run went back, and goes on from there
            made = build.parts(config)  # what remembers begins afresh


def train(session: Session, looks: Looks, interrupt: Interrupt, start: int) -> bool:
    """The loop: everyone learns once a step, and now and then is looked at and kept.

    The randomness of a step is a function of the seed and the step alone, so that a run that was
    stopped goes on as if it had not been. True where the policy wants to go back. Raises Lost,
    after saving, where it wants to stop, Stopped where a signal does.
    """
    config, log, watch = looks.keeper.config, looks.log, looks.watch
    if looks.owed and _ends(looks, start, *_measured(looks, interrupt, start, kept=True)):
        return False
    for step in range(start, session.steps):
        done = advance(session, log, watch, config["seed"], step)
        ruling = looks.ruling(done)
        if ruling is Ruling.GO_BACK:
            return True
        signum, tired = _kept(looks, interrupt, done, ruling is Ruling.STOP)
        if ruling is Ruling.STOP:
            raise looks.lost(done)
        if _ends(looks, done, signum, tired):
            break
    return False


def advance(session: Session, log: Log, watch: Watch, seed: int, step: int) -> int:
    """One step of a run, counted from 0, and what is noted of it; how many steps are done then."""
    reseed(seed, step)
    rates = _pace(session, step) | watch.slow(step)
    facts = session.step(batches(session, step), step)
    done = step + 1
    if log.due(done):
        facts |= session.sizes()
    log.step(done, facts, _counts(session) | rates | watch.facts)
    return done


def _kept(looks: Looks, interrupt: Interrupt, done: int, lost: bool) -> tuple[int | None, str]:
    """Show, keep and measure where that is due: the signal to be obeyed, and why the run ends.

    It is kept before it is measured, so that nothing is lost by a measurement that never ends, and
    a signal does not wait for one.
    """
    signum = dist.agreed(interrupt.signum)  # a later one is met by a save, or the next step
    last = lost or signum is not None or done == looks.steps
    keep = last or done % looks.keeper.config["checkpoint_every"] == 0
    if keep:
        looks.saved(done, last)
        signum = dist.agreed(interrupt.signum)
    elif looks.pictured(done):
        looks.shown(done, last=False)
    if lost or signum is not None:  # measured, if ever, when it goes on
        return signum, ""
    return _measured(looks, interrupt, done, keep)


def _measured(looks: Looks, interrupt: Interrupt, done: int, kept: bool) -> tuple[int | None, str]:
    """Measure where that is due, and keep what was not kept yet where the run ends for it."""
    tired = looks.measured(done, interrupt)
    signum = dist.agreed(interrupt.signum) if looks.due(done) else None
    if not kept and (tired or signum is not None):
        looks.saved(done, last=True)
    elif tired and done < looks.steps:
        looks.shown(done, last=True)
    return signum, tired


def _ends(looks: Looks, done: int, signum: int | None, tired: str) -> bool:
    """Whether the run ends here, as it is said; raises Stopped where a signal asked for it."""
    if signum is not None:
        raise Stopped(signum, f"stopped and saved at step {done}; the same command goes on")
    if tired:
        looks.console.say(f"stopped early at step {done}: {tired}")
    return bool(tired)


def batches(session: Session, step: int) -> Iterator[Batch]:
    """The batches of data of a step, in turn, each when it is asked for."""
    per_step = session.method.batches_per_step
    return (session.feed(index) for index in range(step * per_step, (step + 1) * per_step))


def _pace(session: Session, step: int) -> dict[str, float]:
    progress = step / session.steps
    session.course(progress)
    factor = session.schedule(progress)
    players = session.method.players.items()
    return {f"learning_rate/{name.lower()}": player.pace(factor) for name, player in players}


def _counts(session: Session) -> dict[str, int]:
    """Images of the data learnt from, and updates of each player; those that were skipped."""
    method = session.method
    players = method.players.items()
    made = {"images": method.images} | {f"updates/{n.lower()}": p.updates for n, p in players}
    if session.guard is None:
        return made
    return made | {f"skipped/{name.lower()}": player.skipped[0] for name, player in players}


def _lead(asked: Asked, run: Run, console: Console, watcher: Watcher | None, made: Parts) -> bool:
    """Train from the last checkpoint on, as the rank that writes; whether the run went back."""
    with ExitStack() as stack:
        at = stand(asked, made, run, console, watcher, stack)
        start, steps = at.way.start, at.session.steps
        if at.way.over(steps):
            settle(run.dir, start, steps, verdict(at.watch, at.best))
            return False
        data = at.session.source.fingerprint
        if asked.beside:
            asked.beside.begins(data)
        run.begin()
        record.note(run.dir, start, steps, at.session.circumstances | {"data": data})
        return _led(asked, at, run, console)


def _led(asked: Asked, at: Standing, run: Run, console: Console) -> bool:
    """Train from there on, and say what came of it; whether the run went back."""
    config, session, watch, best = asked.config, at.session, at.watch, at.best
    start, steps = at.way.start, session.steps
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt(GRACE if dist.size() > 1 else 0.0))
        telling = stack.enter_context(Telling(run.dir, start, steps))
        log = Log(run, console, config["log_every"], config["tensorboard"], start)
        stack.callback(log.close)
        if session.graphs:
            session.graphs.tell = console.warn
        console.start(steps, start)
        watch.show(console)
        stack.callback(console.stop)
        show = Show(run, session, config, console, log)
        looks = Looks(steps, at.keeper, log, show, best, watch, console, asked.beside, at.way.owed)
        if (back := _train(session, looks, interrupt, start)) is not None:
            telling.verdict = ("running", f"went back to step {back}")
            return True
        telling.verdict = verdict(watch, best)
        console.stop()
        if show.summary:
            console.say(show.summary)
        if session.guard and session.guard.about:
            console.warn(session.guard.about)
        if asked.beside is None:
            console.say(farewell(run, config, session, best))
    return False


def _follow(asked: Asked, console: Console, made: Parts) -> bool:
    """As `_lead`, on a rank that writes nothing."""
    config = asked.config
    session = make(config, made, asked.device, asked.overrides)
    way = dist.told(Way())
    spread(session)
    if way.over(session.steps):
        return False
    keeper, log = Follower(session, config), Silent(config["log_every"])
    best = Helping(session) if made.metric else None
    watch = Obeying(session, made, config, list(way.returns))
    looks = Looks(session.steps, keeper, log, Unseen(), best, watch, console, owed=way.owed)
    with Interrupt(GRACE) as interrupt:
        return _train(session, looks, interrupt, way.start) is not None


GRACE = 20.0
"""Seconds in which torchrun's own Ctrl-C is not yet a second one."""


OFTEN = (700, 10, 10)
"""Python's own numbers of new objects after which it looks for those without a use: a step may hold
memory through them."""


def _train(session: Session, looks: Looks, interrupt: Interrupt, start: int) -> int | None:
    """Train to the end; or the step of the checkpoint that the run went back to instead."""
    gc.set_threshold(*OFTEN)
    if start == 0 and looks.watch.policy.returns:
        looks.kept(0)  # somewhere to go back to
    try:
        goes_back = train(session, looks, interrupt, start)
    except NumericalFailure as failure:
        return looks.back(failure)
    except (RuntimeError, ValueError) as error:
        if told := refused(error):
            raise GanError(told) from error
        return looks.back(looks.cause(error))  # some of PyTorch raises one for NaN
    return looks.back(None) if goes_back else None
