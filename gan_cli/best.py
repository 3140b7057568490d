"""Metrics during training: what they come to, the best checkpoint, and when to stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path

from gan_cli import build, container
from gan_cli.build import Config, Parts
from gan_cli.console import Console
from gan_cli.errors import BadFile, DiskFailure, UserMistake
from gan_cli.evaluation import Data, Examiner, Question, looked_at
from gan_cli.generators import Origin
from gan_cli.log import Log
from gan_cli.metric import Metric
from gan_cli.rows import rows
from gan_cli.run import Run
from gan_cli.sampler import Sampler
from gan_cli.scores import Measured, Scores
from gan_cli.session import Session

Watcher = Callable[[int, Scores], str]
"""Told what is measured, and at which step; a text ends the run, and says why."""


class Best:
    """Measures the generator now and then, and remembers when it was best.

    A row of `evaluations.jsonl` holds the step and the scores, with their protocol. What was best,
    and for how long nothing was better, is read from those rows, as far as they are of the same
    protocol: so a run that is continued decides as one that never stopped. Nothing that training
    draws or computes depends on it, but when it ends.
    """

    def __init__(
        self,
        examiner: Examiner,
        sampler: Sampler,
        path: Path,
        figure: str,
        named: bool,
        patience: int | None,
        seed: int,
        averaged: bool,
    ):
        self.examiner, self.sampler, self.path = examiner, sampler, path
        self.figure, self.patience, self.seed, self.averaged = figure, patience, seed, averaged
        self.named = named  # whether it is the user's choice
        self.found: list[tuple[int, float | None]] = []  # the figure at each step, or none
        self.newest = 0  # the step of the last row that was there when the run went on
        self.watcher: Watcher | None = None
        self.ended = ""  # why the watcher ends the run

    @classmethod
    def make(
        cls, run: Run, session: Session, parts: Parts, config: Config, choices: dict[str, str]
    ) -> Best | None:
        """What the configuration asks for; None where it names no metric.

        UserMistake for a metric that can't be asked of this generator, or a figure that isn't told.
        """
        if not parts.metric:
            if config["best"] is not None or config["patience"] is not None:
                raise UserMistake("best and patience are of a metric: metric=frechet, say")
            return None
        space, method = session.space, session.method
        sampler = Sampler(method.generator, space, session.prior, session.task, session.data.shape)
        data = Data(
            session.data,
            session.held(),
            parts.task,
            choices.get("dataset", ""),
            str(config["dataset"].get("split", "all")),
        )
        extractor = parts.extractor.of(looked_at(data), session.device)
        question = Question(
            parts.metric, build.settings(config["metric"]), extractor, config["evaluate_n"]
        )
        examiner = Examiner(data, question)
        if refused := examiner.refusals(sampler):
            told = "\n".join(f"metric={name}: {reason}" for name, reason in refused.items())
            raise UserMistake(told)
        averaged = bool(parts.averaging.half_life or "ema" in parts.anneal.to)
        figure = chosen(parts.metric, config["best"])
        path = run.dir / "evaluations.jsonl"
        return cls(
            examiner,
            sampler,
            path,
            figure,
            config["best"] is not None,
            config["patience"],
            config["seed"],
            averaged,
        )

    @property
    def about(self) -> str:
        """What is measured, of how many samples, and who looks at them."""
        asked = self.examiner.question
        names = ", ".join(asked.metrics)
        return f"measured as it trains: {names}, of {asked.n:,} samples, by {asked.extractor.about}"

    def resume(self, step: int, console: Console) -> None:
        """Read what was found up to this step; rows of another protocol don't count."""
        try:
            kept = rows(self.path, step)
            kept.close()
            lines = self.path.read_text().splitlines()
        except OSError as error:
            raise DiskFailure(f"{self.path}: {error.strerror}") from error
        if kept.mended:
            console.warn(f"{self.path}: damaged; the rows that can be read are kept")
        others = 0
        for line in lines:
            found = json.loads(line)
            self.newest = found["step"]
            try:
                told = Scores.parse(found["scores"])
            except (BadFile, KeyError):
                others += 1
                continue
            self._settle(told)
            one = told.figures.get(self.figure)
            metric = directions_of(self.examiner.question.metrics)[self.figure]
            mine = self.examiner.protocol(told.protocol.weights)
            if mine.differences(told.protocol, {metric}):
                others += 1
            else:
                self.found.append((found["step"], one.value if one else None))
        if self.found and not self._keep_those_that_count(step):
            console.say(
                f"best.safetensors is gone or was not chosen by {self.figure}: what is best counts "
                "anew"
            )
        if others:
            console.say(
                f"{others} earlier evaluations are of another protocol, and don't count for what "
                "is best"
            )

    def __call__(
        self,
        step: int,
        log: Log,
        console: Console,
        keep: Callable[[str, float], None],
        meanwhile: AbstractContextManager[object],
    ) -> None:
        """Measure at this step; `keep` is called when it is the best so far.

        What may take long happens in `meanwhile`, and leaves nothing behind when that ends it. The
        row is written last: where it is not there, none of this has happened.
        """
        self.sampler.origin = Origin(step=step, averaged=self.averaged)
        with meanwhile:
            scores = self.examiner.examine(self.sampler, self.seed)
        self.found = [one for one in self.found if one[0] < step]
        log.scalars(step, {f"metric/{name}": one.value for name, one in scores.figures.items()})
        self._settle(scores)
        missing = {self.figure: "it is not told"} if self.figure not in scores.figures else {}
        for name, reason in (missing | scores.refused).items():
            console.warn(f"step {step}: no {name}: {reason}")
        value = scores.figures.get(self.figure)
        first = value is not None and self._beats(value.value)
        self.found.append((step, value.value if value else None))
        told = f"step {step}: {self._line(scores.figures)}"
        console.say(f"{told}, the best so far" if first else told)
        if value is not None and first:
            keep(self.figure, value.value)
        if self.watcher is not None:
            self.ended = self.watcher(step, scores)
        self._keep(step, scores)

    @property
    def best(self) -> tuple[int, float] | None:
        """The step at which the figure was best, the first of equals, and what it was."""
        known = [(step, value) for step, value in self.found if value is not None]
        return max(known, key=lambda one: (self.better * one[1], -one[0])) if known else None

    @property
    def tired(self) -> str:
        """Why the run should end: its watcher says so, or so many evaluations without a better one;
        or ''."""
        if self.ended or self.patience is None or self.best is None:
            return self.ended
        step, value = self.best
        since = sum(later > step for later, _ in self.found)
        if since < self.patience:
            return ""
        return f"{self.figure} was best at step {step} ({value:.4g}), and not in {since} since"

    @property
    def better(self) -> int:
        """1 where more of the figure is better, -1 where less is."""
        return directions(self.examiner.question.metrics)[self.figure]

    def _settle(self, scores: Scores) -> None:
        """Where nobody named the figure, and it isn't one that is told here: the next that is."""
        metrics = self.examiner.question.metrics
        could = {self.figure, directions_of(metrics)[self.figure]} & {
            *scores.figures,
            *scores.refused,
        }
        if not self.named and not could and not self.found:
            told = [name for name in preferred(metrics) if name in scores.figures]
            self.figure = next(iter(told), self.figure)

    def _keep_those_that_count(self, now: int) -> bool:
        """Whether the checkpoint that was kept as the best was chosen by the same figure.

        Of what was found before it, nothing as good counts: it was kept no more, when the run went
        back. It counts itself, even if its row is lost. Without such a checkpoint nothing counts.
        """
        try:
            meta = container.read(self.path.with_name("best.safetensors")).meta
            figure, value = meta["best"]["figure"], float(meta["best"]["value"])
            at = int(meta["step"])
        except (BadFile, KeyError, TypeError, ValueError):
            figure, value, at = None, 0.0, 0
        if figure != self.figure:
            self.found = []
            return False
        self.found = [
            (step, found)
            for step, found in self.found
            if found is None or step >= at or self.better * found < self.better * value
        ]
        if at <= now and at not in dict(self.found):
            self.found = sorted([*self.found, (at, value)], key=lambda one: one[0])
        return True

    def _beats(self, value: float) -> bool:
        return self.best is None or self.better * value > self.better * self.best[1]

    def _line(self, figures: dict[str, Measured]) -> str:
        """The figure that tells the best, and the first of every other metric."""
        firsts = {one.metric: name for name, one in reversed(figures.items())}
        shown = [self.figure, *firsts.values()] if self.figure in figures else firsts.values()
        return ", ".join(f"{name} {figures[name]}" for name in dict.fromkeys(shown))

    def _keep(self, step: int, scores: Scores) -> None:
        row = {"step": step, "scores": asdict(replace(scores, seconds=0.0))}  # the same each time
        try:
            kept = rows(self.path, step - 1)
            try:
                kept.append(f"{json.dumps(row, allow_nan=False)}\n".encode())
            finally:
                kept.close()
        except OSError as error:
            raise DiskFailure(f"{self.path}: {error.strerror}") from error


def chosen(metrics: dict[str, Metric], asked: str | None) -> str:
    """The figure by which the best is chosen: the one that is asked for, else the first distance,
    else the first of which more is better. UserMistake where there is no such figure."""
    usable = preferred(metrics)
    if asked is None and usable:
        return usable[0]
    if asked not in usable:
        there = ", ".join(usable) or "none has one, so another metric beside it: frechet"
        told = f"best={asked}: there is no such figure" if asked else "what is best is told by one"
        raise UserMistake(f"{told}; of metric= those with a better and a worse: {there}")
    return asked


def preferred(metrics: dict[str, Metric]) -> list[str]:
    """The figures that have a better and a worse, distances first."""
    known = directions(metrics)
    return [n for n, way in known.items() if way < 0] + [n for n, way in known.items() if way > 0]


def directions(metrics: dict[str, Metric]) -> dict[str, int]:
    """Every figure that they tell, and which way is better."""
    return {name: f.better for metric in metrics.values() for name, f in metric.figures.items()}


def directions_of(metrics: dict[str, Metric]) -> dict[str, str]:
    """Every figure that they tell, and which metric tells it."""
    return {figure: name for name, metric in metrics.items() for figure in metric.figures}
