"""A command measured: how fast it trains, what takes the time, and what could be faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gan_cli.bench import paths
from gan_cli.bench.contender import Compose, Contender, device_clock
from gan_cli.bench.memory import Peak, too_much
from gan_cli.bench.parts import parts
from gan_cli.bench.report import Gain, Occasion, Report, Sized
from gan_cli.bench.timing import (
    LEAST,
    LONGEST,
    Clock,
    Spread,
    block,
    interleave,
    ratios,
    seconds,
)
from gan_cli.bench.work import flops, roof
from gan_cli.errors import UserMistake
from gan_cli.fast import computing, pick_device

PATIENT = 2
"""How many times longer than its share something may take that can be left out."""

RECORDED = 5
"""Steps of each kind until it is a graph that was tried."""

WARM = 0.08
SPEED, PARTS, ROOF, SWEEP = 0.55, 0.2, 0.05, 0.2
"""Shares of the time: to warm up, for images/s, parts and plain operations; of each batch size."""


@dataclass
class Bench:
    """A command that is measured: what composes it, for how many seconds, where it may write.

    `say` is told what is being done. What is known stands in `report`, also where it ends early.
    """

    compose: Compose
    overrides: list[str]
    seconds: float
    directory: Path
    report: Report
    say: Callable[[str], None] = lambda text: None
    clock: Clock | None = None
    usual: float = field(default=0.0, init=False)  # seconds of a step of whom was warmed last
    images: int = field(default=0, init=False)  # of a step of it
    before: int = field(default=0, init=False)  # bytes of memory before anything was built
    _made: int = field(default=0, init=False)

    def __call__(self, batches: Sequence[int] = ()) -> None:
        """Measure it, then these sizes of the batch. Raises what `gan train` would, before it
        trains."""
        with ExitStack() as stack:
            self._one(stack)
        self._sizes(batches)

    def _one(self, stack: ExitStack) -> None:
        report = self.report
        self.say("building")
        peak = self._peak()
        self.before = peak.before
        default = self._contender([], stack)
        self._describe(default)
        self.say("warming up")
        steps = self._warmed(default, WARM * self.seconds)
        report.memory, report.memory_about = peak(), peak.about
        self._speed(default, steps, stack)
        if default.session.graphs and (why := default.session.graphs.about):
            report.notes.append(f"Steps are not launched as a whole: {why}.")
        self.say("part by part")

        def like(more: list[str]) -> Contender:
            return self._contender(more, stack, default)

        seen = paths.eager(default, like, *paths.WHOLE) if default.session.graphs else default
        if seen is not default:
            report.notes.append("Parts can't be seen in whole steps: operation by operation.")
        report.parts = parts(seen, steps, self.time, PARTS * self.seconds)
        self.say("counting operations")
        self._work(default, paths.eager(default, like, *paths.WHOLE))
        self.say("what is done now and then")
        self._occasions(default)

    def _peak(self) -> Peak:
        """The peak of memory from now on, on the device that there will be."""
        config, _ = self.compose([])
        return Peak(pick_device(config["hardware"]["device"]))

    def _contender(
        self, more: list[str], stack: ExitStack, like: Contender | None = None
    ) -> Contender:
        """The command with some overrides more, on the samples of another."""
        self._made += 1
        place = self.directory / f"run{self._made}"
        words = [*self.overrides, *more]
        source = like.session.data if like else None
        one = Contender(self.compose(more), words, place, source)
        stack.callback(one.close)
        self.clock = self.clock or device_clock(one.device)
        return one

    @property
    def time(self) -> Clock:
        """The clock: that of the device, once there is anything on it."""
        assert self.clock is not None
        return self.clock

    def _describe(self, one: Contender) -> None:
        session, report = one.session, self.report
        players = session.method.players.items()
        if not players:
            raise UserMistake("nobody learns by steps here, so there is no speed of training")
        size = "×".join(map(str, session.source.shape))
        report.about = {
            "samples": size,
            "length": session.source.length,
            "batch": one.batch,
            "weights": {n: sum(w.numel() for w in p.weights) for n, p in players},
            "circumstances": dict(session.circumstances),
        }
        report.picks = paths.picks(one)
        if self.compose([])[0]["metric"]:
            report.notes.append("What metric= names is not measured here.")

    def _warmed(self, one: Contender, budget: float) -> int:
        """Train until it is warm; the steps of a block, so that what is lazy is in each alike."""
        one.enter()
        taken, begun, before = list[float](), self.time(), one.session.method.images
        least = RECORDED * one.turn if one.session.graphs else LEAST
        while len(taken) < least or self.time() - begun < budget:
            taken.append(seconds(lambda: one.train(1), self.time))
        self.usual = sorted(taken)[len(taken) // 2]
        self.images = (one.session.method.images - before) // len(taken)
        sharers = 1 + len(paths.without(one))
        budget = SPEED * self.seconds / sharers
        return block(self.usual, one.turn, one.config["log_every"], budget)

    def _speed(self, default: Contender, steps: int, stack: ExitStack) -> None:
        """Images/s, and what each fast path gains: blocks of all of them in turn."""
        found: dict[str, list[float]] = {}
        others = self._others(default, steps, stack)
        all_of_them = {"": default, **others}
        works = {name: partial(one.train, steps) for name, one in all_of_them.items()}
        self.say("images per second" + (", and without the fast paths" if others else ""))
        images = self.images
        try:
            interleave(
                works,
                self.time,
                SPEED * self.seconds,
                LEAST,
                found,
                lambda name: all_of_them[name].enter(),
            )
        finally:
            self._known(found, images, steps)

    def _known(self, found: dict[str, list[float]], images: int, steps: int) -> None:
        """What the seconds of blocks of so many steps say, as far as there are any."""
        mine, report = found.get("", []), self.report
        if not mine:
            return

        def rate(times: list[float]) -> Spread:
            return Spread.of([steps * images / taken for taken in times])

        report.images, report.rate = images, rate(mine)
        report.step = Spread.of([taken / steps for taken in mine])
        without = {name: times for name, times in found.items() if name and times}
        report.gains = [Gain(n, rate(times), ratios(times, mine)) for n, times in without.items()]

    def _others(self, default: Contender, steps: int, stack: ExitStack) -> dict[str, Contender]:
        """The same without each fast path that is on, and without all; warm."""
        others: dict[str, Contender] = {}
        ways = paths.without(default)
        least = LEAST * (len(ways) + 1) * self.usual * steps
        if len(ways) > 1 and least > PATIENT * SPEED * self.seconds:
            ways = {paths.ALL: ways[paths.ALL]}
            self.report.notes.append("Too slow for this time to do without each: --seconds more.")
        for name, more in ways.items():
            self.say(f"without {name}")
            others[name] = self._contender(more, stack, default)
            self._warmed(others[name], WARM * self.seconds / 4)
        return others

    def _work(self, one: Contender, eager: Contender) -> None:
        """Operations of a step, and what plain ones reach in the same precision."""
        steps = min(one.turn, LONGEST)
        eager.enter()
        self.report.flops = flops(lambda: eager.work(steps)) / steps
        one.enter()
        dtype, last = one.session.speed.dtype, one.session.speed.channels_last
        with computing(one.session.speed):
            self.report.roof = roof(one.device, dtype, last, self.time, ROOF * self.seconds)

    def _occasions(self, one: Contender) -> None:
        one.enter()
        one.train(1)
        for name, (work, every) in one.occasions().items():
            if every <= LONGEST * LONGEST:
                work()  # the first one loads what it needs
                one.train(1)
                self.report.occasions.append(Occasion(name, seconds(work, self.time), every))

    def _sizes(self, batches: Sequence[int]) -> None:
        """Images/s and memory of each size of the batch."""
        for batch in batches:
            self.say(f"batches of {batch}")
            try:
                self.report.batches.append(self._size(batch))
            except UserMistake as error:
                self.report.batches.append(Sized(batch, failed=str(error).splitlines()[0]))
            except (RuntimeError, MemoryError) as error:
                if not too_much(error):
                    raise
                self.report.batches.append(Sized(batch, failed="out of memory"))
                return  # so are larger ones

    def _size(self, batch: int) -> Sized:
        with ExitStack() as stack:
            peak = self._peak()
            one = self._contender([f"batch_size={batch}"], stack)
            budget = SWEEP * self.seconds
            steps = self._warmed(one, budget / 4)
            memory, found = peak(self.before), dict[str, list[float]]()
            interleave({"": partial(one.train, steps)}, self.time, budget, LEAST, found)
            rate = Spread.of([steps * self.images / taken for taken in found[""]])
            return Sized(batch, self.images, rate, memory)
