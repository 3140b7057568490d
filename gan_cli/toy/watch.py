"""A run on data whose law is known: what is measured of it, drawn and kept, step after step."""

from __future__ import annotations

import json
import math
from pathlib import Path

from torch import nn

from gan_cli.disk import replace
from gan_cli.errors import DiskFailure
from gan_cli.loss import Loss
from gan_cli.metric.law import Law
from gan_cli.plot.animation import animation
from gan_cli.plot.curves import curves
from gan_cli.plot.grid import Pixels, png
from gan_cli.rows import rows
from gan_cli.sampler import Sampler
from gan_cli.toy.measure import Look, look, perfect
from gan_cli.toy.picture import picture
from gan_cli.toy.summary import panels, table


class Watch:
    """Looks at a game: rows of `toy.jsonl`, and at the end `curves.png` and an animation.

    A row holds the step and the numbers of a Look. A run that is continued writes its rows again
    from where it goes on, so that they are those of one that never stopped, and one more where it
    stopped.
    """

    def __init__(self, sampler: Sampler, D: nn.Module, loss: Loss, law: Law, directory: Path):
        self.sampler, self.D, self.loss, self.law = sampler, D, loss, law
        self.directory = directory
        self.path = directory / "toy.jsonl"
        self.seen: Look | None = None

    def __call__(self, step: int) -> tuple[Pixels, dict[str, float]]:
        """Measure and draw the game at this step, and keep the numbers."""
        self.seen = look(self.sampler, self.D, self.loss, self.law)
        numbers = self.seen.numbers
        self._keep(step, numbers)
        return picture(self.seen, self.law, self.loss, step), numbers

    def end(self, step: int) -> str:
        """Draw the curves and the animation of all steps up to this one; a table of what it came
        to beside what a perfect sampler comes to."""
        told = self._told(step)
        best = perfect(self.law)
        drawn = panels(told, best)
        title = f"{type(self.loss).__name__} on {type(self.law.data).__name__}, {step:,} steps"
        said = f"{self.law.n:,} samples at each; densities blurred by h = {self.law.blur:.2g}"
        steps = [int(row["step"]) for row in told]
        summary, moving = self.directory / "curves.png", self.directory / "samples/animation.webp"
        replace(summary, png(curves(steps, drawn, title, said), {}))
        pictures = sorted((self.directory / "samples").glob("step-????????.png"))
        film = animation([path for path in pictures if _step(path) <= step])
        if film is not None:
            replace(moving, film)
        seen = f"\nfilm         {moving}" if film else ""
        return f"{table(told, best)}\nsummary      {summary}{seen}"

    def _keep(self, step: int, numbers: dict[str, float]) -> None:
        safe = {name: v if math.isfinite(v) else str(v) for name, v in numbers.items()}
        line = json.dumps({"step": step, **safe}, allow_nan=False) + "\n"
        try:
            kept = rows(self.path, step - 1)
            try:
                kept.append(line.encode())
            finally:
                kept.close()
        except OSError as error:
            raise DiskFailure(f"{self.path}: {error.strerror}") from error

    def _told(self, step: int) -> list[dict[str, float]]:
        lines = self.path.read_text().splitlines()
        told = [{name: float(value) for name, value in json.loads(one).items()} for one in lines]
        return [row for row in told if row["step"] <= step]


def _step(path: Path) -> int:
    digits = path.stem.removeprefix("step-")
    return int(digits) if digits.isdigit() else 0
