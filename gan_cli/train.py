"""Training: a run directory, a session, and the loop between them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from gan_cli import build
from gan_cli.batch import Batch
from gan_cli.best import Best
from gan_cli.build import Config
from gan_cli.console import Console
from gan_cli.errors import Stopped
from gan_cli.keeper import Keeper
from gan_cli.log import Log
from gan_cli.randomness import reseed
from gan_cli.run import Run
from gan_cli.session import Session, make
from gan_cli.show import Show
from gan_cli.signals import Interrupt
from gan_cli.status import Telling


def launch(config: Config, choices: dict[str, str], overrides: list[str], argv: list[str]) -> None:
    """One run, from its command to its last checkpoint; or what is left of it.

    Raises UserMistake before anything is written when the configuration can't be right, Stopped
    after saving when a signal asked for it, NumericalFailure and DiskFailure as they happen.
    """
    made = build.parts(config)
    device = made.hardware.claim()
    console = Console.make()
    with ExitStack() as stack:
        run = stack.enter_context(Run.open(config, choices, overrides, argv))
        session = make(config, made, device, overrides)
        keeper = Keeper(run, session, config, choices)
        start = keeper.restore(console) or keeper.begin(console)
        best = Best.make(run, session, made, config, choices)
        for note in (*run.notes, *run.changes):
            console.say(note)
        if best:
            console.say(best.about)
            best.resume(start, console)
        tired = best.tired if best and start else ""
        _greet(console, run, session, start, tired)
        if start >= session.steps or tired:
            return
        interrupt = stack.enter_context(Interrupt())
        stack.enter_context(Telling(run.dir, start, session.steps))
        log = Log(run, console, config["log_every"], config["tensorboard"], start)
        stack.callback(log.close)
        console.start(session.steps, start)
        stack.callback(console.stop)
        show = Show(run, session, config, console, log)
        train(session, keeper, log, Looks(show, best, console), interrupt, start)
        console.stop()
        if show.summary:
            console.say(show.summary)
        console.say(_farewell(run, config, session, best))


@dataclass(frozen=True)
class Looks:
    """How a run is looked at while it trains: samples shown, and measured where it is asked for."""

    show: Show
    best: Best | None
    console: Console


def train(
    session: Session, keeper: Keeper, log: Log, looks: Looks, interrupt: Interrupt, start: int
) -> None:
    """The loop: everyone learns once a step, and now and then is looked at and kept.

    The randomness of a step is a function of the seed and the step alone, so that a run that was
    stopped goes on as if it had not been.
    """
    config = keeper.config
    for step in range(start, session.steps):
        reseed(config["seed"], step)
        rates = _pace(session, step)
        facts = session.step(_batches(session, step), step)
        log.step(step + 1, facts, _counts(session) | rates)
        signum = interrupt.signum  # one that arrives from here on is met by the next step
        done, last = step + 1, step + 1 == session.steps or signum is not None
        if looks.best and (done == session.steps or done % config["evaluate_every"] == 0):
            log.flush()
            looks.best(done, log, looks.console, keeper.best(done))
            last = last or bool(looks.best.tired)
        keep = last or done % config["checkpoint_every"] == 0
        if keep:
            log.flush()  # raises before anything is kept when a number ran away
        if last or done % config["sample_every"] == 0:
            looks.show(done, last)
        if keep:
            keeper.save(done)
        if signum is not None:
            raise Stopped(signum, f"stopped and saved at step {done}; the same command goes on")
        if last and looks.best and looks.best.tired:
            looks.console.say(f"stopped early at step {done}: {looks.best.tired}")
            return


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


def _greet(console: Console, run: Run, session: Session, start: int, tired: str) -> None:
    """Say what is about to happen: where, on what data, with what, and how to stop it."""
    for note in session.source.notes:
        console.warn(note)
    if tired:
        console.say(
            f"{run.dir} stopped early at step {start}: {tired}. To go on: the same command with "
            "patience=null; to start over: with fresh=true"
        )
        return
    if start >= session.steps:
        console.say(
            f"{run.dir} is done: {start} of {session.steps} steps. To go on: "
            f"gan train resume={shlex.quote(str(run.dir))} steps={2 * start}; "
            "to start over: the same command with fresh=true"
        )
        return
    console.say(
        f"resuming {run.dir} at step {start} of {session.steps}"
        if start
        else f"training {run.dir}: {session.steps} steps; Ctrl-C saves and stops"
    )
    source, players = session.source, session.method.players.items()
    size = "×".join(map(str, source.shape))
    count = "endless" if source.length is None else f"{source.length:,}"
    weights = ", ".join(f"{n} {sum(w.numel() for w in p.weights):,}" for n, p in players) or "none"
    precision = str(session.precision).removeprefix("torch.")
    console.say(f"{count} samples of {size}, weights {weights}, on {session.device} in {precision}")


def _farewell(run: Run, config: Config, session: Session, best: Best | None) -> str:
    place = shlex.quote(str(run.dir))
    curves = f"curves       tensorboard --logdir {place}\n" if config["tensorboard"] else ""
    if best and best.best:
        step, value = best.best
        curves = f"best         {run.best} (step {step}, {best.figure} {value:.4g})\n{curves}"
    return (
        f"samples      {run.samples}\n"
        f"generator    {run.generator}\n"
        f"{curves}"
        f"more images  gan sample --ckpt {place}{' --from PICTURES' if session.space.given else ''}"
    )
