"""What a run says of itself before its first step and after its last."""

from __future__ import annotations

import shlex

from gan_cli import dist
from gan_cli.best import Best
from gan_cli.build import Config
from gan_cli.console import Console
from gan_cli.follow import local_matters
from gan_cli.run import Run
from gan_cli.session import Session


def greet(
    console: Console, run: Run, session: Session, start: int, tired: str, owed: bool = False
) -> None:
    """Say what is about to happen: where, on what data, with what, and how to stop it."""
    for note in session.source.notes:
        console.warn(note)
    if tired:
        console.say(
            f"{run.dir} stopped early at step {start}: {tired}. To go on: the same command with "
            "patience=null; to start over: with fresh=true"
        )
        return
    if start >= session.steps and not owed:
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
    precision = session.speed.picks["precision"]
    console.say(f"{count} samples of {size}, weights {weights}, on {session.device} in {precision}")
    if told := session.speed.told:
        console.say(f"hardware: {told}")
    if dist.size() > 1:
        _greet_ranks(console, session)


def _greet_ranks(console: Console, session: Session) -> None:
    """Say how many ranks train, and what is not as on one."""
    console.say(f"on {dist.size()} ranks, {session.share} samples of each batch on each")
    if local := local_matters(session):
        console.say(f"each rank by its own samples: {local}")


def farewell(run: Run, config: Config, session: Session, best: Best | None) -> str:
    """Where what was made is, and how to get more of it."""
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
