"""A run that is trained to be measured, as `gan train` trains it, in a directory that is thrown
away."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gan_cli import build, dist
from gan_cli.bench.timing import Place
from gan_cli.build import Config, Parts
from gan_cli.console import Console
from gan_cli.dataset.source import Source
from gan_cli.dynamics.alternating import Alternating
from gan_cli.fast import work_of
from gan_cli.log import Log
from gan_cli.looks import Looks
from gan_cli.method.gan import GAN
from gan_cli.run import Run
from gan_cli.show import Show
from gan_cli.standing import Asked, Standing, stand
from gan_cli.train import advance, batches

D_PART, G_PART, BOTH = "D forward and backward", "G forward and backward", "forward and backward"
"""The parts of a step in which gradients are computed; BOTH where they are not one by one."""

ENDLESS = 1 << 30
"""Steps of the budget: rates and annealed numbers stay as they are at the beginning."""

Composed = tuple[Config, dict[str, str]]
Compose = Callable[[Sequence[str]], Composed]
"""The configuration with some overrides more, and the choice of each group."""


class Contender:
    """A session with its log and all that looks at it, ready to be trained step by step.

    `source` gives the samples, where they were read before. Nothing is evaluated; what it writes
    goes into `directory`. Raises what `gan train` raises before its first step.
    """

    def __init__(
        self,
        composed: Composed,
        overrides: list[str],
        directory: Path,
        source: Source | None = None,
    ):
        config, choices = composed
        self.console = Console.silent()
        self._stack = ExitStack()
        try:
            self.config = _endless(config, directory)
            self.made = _unmeasured(build.parts(self.config), source)
            self.device = self.made.hardware.claim()
            dist.use(self.device)
            self._open(Asked(self.config, choices, overrides, self.device))
        except BaseException:
            self.close()
            raise

    def _open(self, asked: Asked) -> None:
        command = ["gan", "bench", *asked.overrides]
        enter = self._stack.enter_context
        self.run = enter(Run.open(self.config, asked.choices, asked.overrides, command))
        self.at: Standing = stand(asked, self.made, self.run, self.console, None, self._stack)
        self.run.begin()
        session = self.session = self.at.session
        nets = (player.net for player in session.method.players.values())
        self._work = work_of(nets, session.space, self.config["pack"])
        start, turns = self.at.way.start, self.made.turns
        self.step = max(start, turns.head_start_d, turns.head_start_g)
        every, board = self.config["log_every"], self.config["tensorboard"]
        self.log = Log(self.run, self.console, every, board, start)
        self._stack.callback(self.log.close)

    def close(self) -> None:
        """Close its files, and forget the players."""
        self._stack.close()
        self.__dict__.clear()

    @property
    def batch(self) -> int:
        """Images of a batch."""
        return int(self.config["batch_size"])

    def enter(self) -> None:
        """Set what this contender has of the process for itself, as its threads."""
        self.made.hardware.claim()
        self.made.hardware.speed(self.device, self._work, self.batch)

    @property
    def threads(self) -> int:
        """Threads of the processor, of which one may have been picked."""
        return self.made.hardware.case(self.device).processor.threads

    def train(self, steps: int) -> None:
        """So many steps more."""
        seed = self.config["seed"]
        for _ in range(steps):
            self.step = advance(self.session, self.log, self.at.watch, seed, self.step)

    def work(self, steps: int) -> int:
        """So many steps of the players alone, of which nothing is noted: the images learnt from."""
        before = self.session.method.images
        for step in range(self.step, self.step + steps):
            self.session.step(batches(self.session, step), step)
        self.step += steps
        return self.session.method.images - before

    @property
    def turn(self) -> int:
        """Steps after which all that is due now and then has been due: lazy penalties and terms."""
        method = self.session.method
        if not isinstance(method, GAN):
            return 1
        d = [penalty.every for penalty in method.penalties.values()]
        g = [term.every for term in method.terms.values()]
        turns = method.turns
        updates = [(e, turns.critic) for e in d] + [(e, turns.generator) for e in g]
        return math.lcm(*(math.lcm(every, each) // each for every, each in updates))

    def occasions(self) -> dict[str, tuple[Callable[[], object], int]]:
        """What is done between steps: what does it, and every how many steps."""
        config, at, log, quiet = self.config, self.at, self.log, self.console
        show = Show(self.run, self.session, config, quiet, log)
        looks = Looks(self.session.steps, at.keeper, log, show, None, at.watch, quiet)
        told: dict[str, tuple[Callable[[], object], int]] = {
            "pictures": (lambda: looks.shown(self.step, last=False), config["sample_every"]),
            "checkpoints": (lambda: looks.kept(self.step), config["checkpoint_every"]),
        }
        if every := at.watch.every:
            told["looks at what goes wrong"] = (lambda: at.watch(self.step, log, quiet), every)
        return told

    def places(self) -> list[Place]:
        """Which methods are which part of a step; what stands within another is not of it."""
        session, method = self.session, self.session.method
        found: list[Place] = [(session, "feed", "data")]
        found += [(session, "sizes", "logging"), (self.log, "step", "logging")]
        if isinstance(method, GAN) and isinstance(session.dynamics, Alternating):
            found += [(method, "d_step", D_PART), (method, "g_step", G_PART)]
        else:
            found.append((session, "step", BOTH))
        for player in method.players.values():
            found += [(player, "push", "optimisers"), (player, "_follow", "averages")]
        return found


def _endless(config: Config, directory: Path) -> Config:
    """The same run without an end, elsewhere, of which nobody is told."""
    changed: dict[str, Any] = {"steps": ENDLESS, "images": None, "epochs": None}
    changed |= {"run_dir": str(directory), "fresh": False, "preview": False}
    return config | changed | {"metric": {}, "best": None, "patience": None}


@dataclass(frozen=True)
class _Read:
    """A data set whose samples were read before."""

    dataset: Any
    source: Source

    def load(self) -> Source:
        """The samples."""
        return self.source

    @property
    def split(self) -> str:
        """Which half it is; that beside it is read as it always is."""
        return ""


def _unmeasured(made: Parts, source: Source | None) -> Parts:
    return made if source is None else replace(made, dataset=_Read(made.dataset, source))


def device_clock(device: torch.device) -> Callable[[], float]:
    """Seconds, when all that was asked of the device is done."""
    waits = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}
    wait = waits.get(device.type)
    if wait is None:
        return time.perf_counter

    def clock() -> float:
        wait()
        return time.perf_counter()

    return clock
