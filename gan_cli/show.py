"""What training shows of itself: samples from the same noise over time, and D's outputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from gan_cli import answers, few
from gan_cli.build import Config
from gan_cli.console import Console
from gan_cli.disk import replace
from gan_cli.log import Log
from gan_cli.method.gan import GAN
from gan_cli.metric.law import Law, lawful
from gan_cli.plot.grid import QUICK, Pixels, grid, png
from gan_cli.run import Run
from gan_cli.sampler import Sampler
from gan_cli.session import Session
from gan_cli.task import answered

if TYPE_CHECKING:
    from gan_cli.toy.watch import Watch

IMAGES = 64
"""Images in a grid."""

CLASSES, COLUMNS = 10, 8
"""Rows and columns of a grid of classes."""

POINTS = 2000
"""Points in a scatter plot."""


class Show:
    """Draws the samples of a fixed noise: as a file, on TensorBoard, and on the terminal.

    Where the law of the data is known, on a line or in the plane, the whole game is drawn and
    measured instead. Nothing that training draws or computes depends on it.
    """

    def __init__(self, run: Run, session: Session, config: Config, console: Console, log: Log):
        self.run, self.session, self.config = run, session, config
        self.console, self.log = console, log
        run.samples.mkdir(exist_ok=True)
        space, method = session.space, session.method
        self.sampler = Sampler(
            method.generator, space, session.prior, session.task, session.data.shape
        )
        law = lawful(session.data) if isinstance(method, GAN) else None
        self.watch = self._watch(Law(law, config["seed"])) if law else None
        self.pairs = session.examples() if space.given else None
        self.answered = session.task is not None and answered(session.task)
        self.summary = ""  # what there is to tell of the whole run, at its end
        self.draw = self.grid if len(space.shape) == 3 else self.scatter

    def _watch(self, law: Law) -> Watch:
        from gan_cli.toy.watch import Watch  # here, because images do without matplotlib

        game = self.session.game
        return Watch(self.sampler, game.D.net, game.loss, law, self.run.dir)

    def __call__(self, step: int, last: bool) -> None:
        """Show the samples at this step, and at the last one sum the run up."""
        picture, numbers = self.watch(step) if self.watch else (self.draw(), {})
        if self.pairs and self.answered:
            told = answers.figures(self.sampler, self.pairs, self.config["seed"])
            numbers = {f"answer/{name}": value for name, value in told["G"].items()}
            self.log.scalars(step, numbers)
            self.summary = answers.table(told)
        if last and self.session.space.kinds and isinstance(self.session.method, GAN):
            numbers |= self.classes(step)
        data = png(picture, {"step": str(step)}, QUICK)
        replace(self.run.samples / f"step-{step:08d}.png", data)
        self.log.images(step, picture)
        self.log.histograms(step, self.session.method.outputs)
        if self.watch:
            self.log.scalars(step, {f"toy/{name}": value for name, value in numbers.items()})
        if self.config["preview"]:
            self.console.say(f"samples at step {step}")
            self.console.preview(self.glimpse(picture))
        if last:
            self.log.hparams(self.config, {"step": step} | numbers)
        if self.watch and step == self.session.steps:
            self.summary = self.watch.end(step)

    def classes(self, step: int) -> dict[str, float]:
        """How many held-out samples D names right, where it learns classes from few labels."""
        session, held = self.session, self.session.held()
        named = few.accuracies(session.game.D.net, held, session.device) if held else {}
        numbers = {f"named/{head}": share for head, share in named.items()}
        self.log.scalars(step, numbers)
        told = [f"D names {share:.1%} of {held.length:,}" for share in named.values() if held]
        self.summary = "\n".join(f"{line} held-out samples right" for line in told)
        return numbers

    def grid(self) -> Pixels:
        """Images side by side: with their conditions, or a row for each class."""
        seed, classes = self.config["seed"], len(self.sampler.space.classes)
        if self.pairs:
            x, c = self.pairs.x[: answers.ROWS], self.pairs.c
            assert c is not None
            truth = x if self.answered else None
            return answers.picture(self.sampler, c[: answers.ROWS], seed, truth, draws=2)
        if classes:
            shown = list(range(min(classes, CLASSES)))
            return grid(torch.cat(list(self.sampler.rows(shown, COLUMNS, seed))), COLUMNS)
        return grid(self.sampler.sample(IMAGES, seed))

    def glimpse(self, picture: Pixels) -> Pixels:
        """What a terminal has room for: two rows of the images, or all of the points."""
        shape = self.sampler.space.shape
        if self.pairs:
            return picture
        if len(shape) == 3:
            return grid(self.sampler.sample(16, self.config["seed"]), columns=8)
        return self.scatter() if shape[0] > 1 else picture

    def scatter(self) -> Pixels:
        """Points of the generator over points of the data, by their first two coordinates."""
        from gan_cli.plot.scatter import scatter  # as above

        batches = math.ceil(POINTS / self.config["batch_size"])
        real = torch.cat([self.session.feed(i).x.cpu() for i in range(batches)])
        points = self.sampler.sample(POINTS, self.config["seed"])
        return scatter(points[:, :2], real[:POINTS, :2])
