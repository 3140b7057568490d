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

IMAGES = 64
"""Images in a grid."""

POINTS = 2000
"""Points in a scatter plot."""


class Show:
    """Draws the samples of a fixed noise: as a file, on TensorBoard, and on the terminal."""

    def __init__(self, run: Run, session: Session, config: Config, console: Console, log: Log):
        self.run, self.session, self.config = run, session, config
        self.console, self.log = console, log
        run.samples.mkdir(exist_ok=True)
        source = session.source
        self.sampler = Sampler(session.method.generator, source.shape)
        self.draw = self.grid if len(source.shape) == 3 else self.scatter

    def __call__(self, step: int, last: bool) -> None:
        """Show the samples at this step, and at the last one sum the run up."""
        picture = self.draw()
        replace(self.run.samples / f"step-{step:08d}.png", png(picture, {"step": str(step)}))
        self.log.images(step, picture)
        self.log.histograms(step, self.session.method.outputs)
        if self.config["preview"]:
            self.console.say(f"samples at step {step}")
            self.console.preview(self.glimpse(picture))
        if last:
            self.log.hparams(self.config, {"step": step})

    def grid(self) -> Pixels:
        """Images side by side."""
        return grid(self.sampler.sample(IMAGES, self.config["seed"]))

    def glimpse(self, picture: Pixels) -> Pixels:
        """What a terminal has room for: two rows of the images, or all of the points."""
        if len(self.sampler.space.shape) < 3:
            return picture
        return grid(self.sampler.sample(16, self.config["seed"]), columns=8)

    def scatter(self) -> Pixels:
        """Points of the generator over points of the data."""
        batches = math.ceil(POINTS / self.config["batch_size"])
        real = torch.cat([self.session.feed(i).x.cpu() for i in range(batches)])
        return scatter(self.sampler.sample(POINTS, self.config["seed"]), real[:POINTS])
