"""Training: a run directory, a session, and the loop between them."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import torch

import gan_cli
from gan_cli import build, container, generators, state, warm
from gan_cli.batch import Batch
from gan_cli.build import Config
from gan_cli.console import Console
from gan_cli.errors import BadFile, Stopped, UserMistake
from gan_cli.log import Log
from gan_cli.randomness import reseed
from gan_cli.run import CONTROL, Run
from gan_cli.session import Session, make
from gan_cli.show import Show
from gan_cli.signals import Interrupt


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
        for note in (*run.notes, *run.changes):
            console.say(note)
        session = make(config, made, device, overrides)
        keeper = Keeper(run, session, config, choices)
        start = keeper.restore(console) or keeper.begin(console)
        _greet(console, run, session, start)
        if start >= session.steps:
            return
        interrupt = stack.enter_context(Interrupt())
        log = Log(run, console, config["log_every"], config["tensorboard"], start)
        stack.callback(log.close)
        console.start(session.steps, start)
        stack.callback(console.stop)
        show = Show(run, session, config, console, log)
        train(session, keeper, log, show, interrupt, start)
        console.stop()
        if show.summary:
            console.say(show.summary)
        console.say(_farewell(run, config, session))


def train(
    session: Session, keeper: Keeper, log: Log, show: Show, interrupt: Interrupt, start: int
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
        last = step + 1 == session.steps or signum is not None
        keep = last or (step + 1) % config["checkpoint_every"] == 0
        if keep:
            log.flush()  # raises before anything is kept when a number ran away
        if last or (step + 1) % config["sample_every"] == 0:
            show(step + 1, last)
        if keep:
            keeper.save(step + 1)
        if signum is not None:
            raise Stopped(signum, f"stopped and saved at step {step + 1}; the same command goes on")


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


class Keeper:
    """Keeps a run: its checkpoints, its generator, and the way back from them."""

    def __init__(self, run: Run, session: Session, config: Config, choices: dict[str, str]):
        self.run, self.session, self.config = run, session, config
        self.named = _named(config, choices)
        run.checkpoints.mkdir(exist_ok=True)
        self.about: dict[str, Any] = {
            group: build.described(group, choices.get(group, ""), config[group])
            for group in ("model", "condition", "prior", "task")
        } | {
            "space": _space(session),
            "versions": {
                "gan": gan_cli.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }

    def save(self, step: int) -> None:
        """Write the checkpoint of a step, then the generator as a file of its own."""
        tensors = self.session.method.state()
        about = self.about | {"step": step, "images": self.session.method.images}
        kept = {
            "kind": "train",
            "data": {"fingerprint": self.session.source.fingerprint},
            "config": self.named,
        }
        state.save(self.run.checkpoints, step, tensors, about | kept, self.config["keep"])
        shown = {key: value for key, value in tensors.items() if key.startswith(("G/", "G_ema/"))}
        container.write(self.run.generator, shown, about | {"kind": "generator"})

    def begin(self, console: Console) -> int:
        """Step 0, with the weights of a trained generator where the command names one.

        What it was is kept as the SHA-256 of its file, which a resumed run needs no more.
        """
        if self.config["init_from"] is not None:
            found, path, _ = generators.find(warm.place(self.config["init_from"]))
            players, classes = self.session.method.players, len(self.session.space.classes)
            for note in warm.start(players, found, path, classes, self.about):
                console.say(note)
            self.about["init_from"] = found.sha256
        return 0

    def restore(self, console: Console) -> int:
        """Go back to the newest good checkpoint, and say which bad ones were passed over."""
        try:
            found = state.newest(self.run.checkpoints)
        except BadFile as error:
            raise BadFile(f"{error}; to start over: fresh=true") from error
        if found is None:
            if self.run.generator.exists():
                console.warn(f"{self.run.checkpoints} holds no checkpoint: starting from step 0")
            return 0
        for reason in found.rejected:
            console.warn(f"passed over a checkpoint: {reason}")
        meta, tensors = found.checkpoint.meta, found.checkpoint.tensors
        try:
            if meta["data"]["fingerprint"] != self.session.source.fingerprint:
                raise UserMistake(
                    "the data set is not the one this run began with: put it back as it was, "
                    "or start over with fresh=true"
                )
            self.session.method.restore(tensors)
            self.about |= {key: meta[key] for key in ("init_from",) if key in meta}
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BadFile(f"{found.path}: does not hold this run's players: {error}") from error
        return int(meta["step"])


def _space(session: Session) -> dict[str, Any]:
    """What is made of what, as a file says it."""
    space = session.space
    told: dict[str, Any] = {"shape": list(space.shape), "classes": list(space.classes)}
    if space.given is not None:
        told |= {"given": list(space.given), "data": list(session.data.shape)}
    return told


def _named(config: Config, choices: dict[str, str]) -> Config:
    """The configuration as names and numbers: no classes, and no places of this machine."""
    named: Config = {}
    for key, value in config.items():
        if key in CONTROL:
            continue
        named[key] = _classless(value)
        if isinstance(value, dict) and "_target_" in value:
            named[key] = {"name": choices.get(key, ""), **named[key]}
    return named


def _classless(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _classless(inner) for key, inner in value.items() if not key.startswith("_")}


def _greet(console: Console, run: Run, session: Session, start: int) -> None:
    """Say what is about to happen: where, on what data, with what, and how to stop it."""
    for note in session.source.notes:
        console.warn(note)
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


def _farewell(run: Run, config: Config, session: Session) -> str:
    place = shlex.quote(str(run.dir))
    curves = f"curves       tensorboard --logdir {place}\n" if config["tensorboard"] else ""
    return (
        f"samples      {run.samples}\n"
        f"generator    {run.generator}\n"
        f"{curves}"
        f"more images  gan sample --ckpt {place}{' --from PICTURES' if session.space.given else ''}"
    )
