"""What training shows of itself: samples from the same noise over time, and D's outputs."""

from __future__ import annotations

import math

import torch

from gan_cli.build import Config
from gan_cli.console import Console
from gan_cli.disk import replace
from gan_cli.log import Log
from gan_cli.plot.grid import Pixels, grid, png
from gan_cli.plot.scatter import scatter
from gan_cli.run import Run
from gan_cli.sampler import Sampler
from gan_cli.session import Session
from gan_cli.toy.law import Law, lawful
from gan_cli.toy.watch import Watch

IMAGES = 64
"""Images in a grid."""

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
        source, game = session.source, session.method
        self.sampler = Sampler(game.generator, source.shape)
        law = lawful(source)
        self.watch = law and Watch(
            self.sampler, game.D.net, game.loss, Law(law, config["seed"]), run.dir
        )
        self.summary = ""  # what there is to tell of the whole run, at its end
        self.draw = self.grid if len(source.shape) == 3 else self.scatter

    def __call__(self, step: int, last: bool) -> None:
        """Show the samples at this step, and at the last one sum the run up."""
        picture, numbers = self.watch(step) if self.watch else (self.draw(), {})
        replace(self.run.samples / f"step-{step:08d}.png", png(picture, {"step": str(step)}))
        self.log.images(step, picture)
        self.log.histograms(step, self.session.method.outputs)
        self.log.scalars(step, {f"toy/{name}": value for name, value in numbers.items()})
        if self.config["preview"]:
            self.console.say(f"samples at step {step}")
            self.console.preview(self.glimpse(picture))
        if last:
            self.log.hparams(self.config, {"step": step} | numbers)
        if self.watch and step == self.session.steps:
            self.summary = self.watch.end(step)

    def grid(self) -> Pixels:
        """Images side by side."""
        return grid(self.sampler.sample(IMAGES, self.config["seed"]))

    def glimpse(self, picture: Pixels) -> Pixels:
        """What a terminal has room for: two rows of the images, or all of the points."""
        shape = self.sampler.space.shape
        if len(shape) == 3:
            return grid(self.sampler.sample(16, self.config["seed"]), columns=8)
        return self.scatter() if shape[0] > 1 else picture

    def scatter(self) -> Pixels:
        """Points of the generator over points of the data, by their first two coordinates."""
        batches = math.ceil(POINTS / self.config["batch_size"])
        real = torch.cat([self.session.feed(i).x.cpu() for i in range(batches)])
        points = self.sampler.sample(POINTS, self.config["seed"])
        return scatter(points[:, :2], real[:POINTS, :2])
