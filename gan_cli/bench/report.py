"""What is known of a command's speed, as far as it was measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from gan_cli.bench.timing import Spread
from gan_cli.bench.work import Roof

NEAR = 0.07
"""A batch is as good as the best where its rate is lower by this share at most."""


@dataclass(frozen=True)
class Part:
    """A part of a step and the seconds it takes, `of` another part where it lies within that."""

    name: str
    seconds: float
    of: str = ""


@dataclass(frozen=True)
class Occasion:
    """What is done every so many steps, and the seconds it takes each time."""

    name: str
    seconds: float
    every: int

    @property
    def share(self) -> float:
        """Seconds of a step, on average."""
        return self.seconds / self.every


@dataclass(frozen=True)
class Gain:
    """What a fast path is without: images/s then, and how many times as fast it is with it."""

    without: str
    rate: Spread
    times: Spread


@dataclass(frozen=True)
class Sized:
    """A batch size: images/s, images of a step, bytes of memory at most; or why there are none."""

    batch: int
    images: int = 0
    rate: Spread | None = None
    memory: int | None = None
    failed: str = ""


@dataclass
class Report:
    """All that is told, in units of seconds, bytes, images and operations; None where unknown.

    rate: images/s of steps with their logging. images: those of a step. `parts` were timed one by
    one in `parts_step` seconds a step, in which there is more waiting than in `step`.
    """

    command: list[str] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    picks: list[tuple[str, str, str]] = field(default_factory=list)  # what, which, why
    images: int = 0
    rate: Spread | None = None
    step: Spread | None = None
    memory: int | None = None
    memory_about: str = ""
    flops: float | None = None
    roof: Roof | None = None
    parts: list[Part] = field(default_factory=list)
    occasions: list[Occasion] = field(default_factory=list)
    gains: list[Gain] = field(default_factory=list)
    batches: list[Sized] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: bool = False

    @property
    def parts_step(self) -> float:
        """Seconds of a step in which its parts were timed: their sum."""
        return sum(part.seconds for part in self.parts if not part.of)

    @property
    def whole_rate(self) -> float | None:
        """Images/s with all that is done now and then, at its intervals."""
        if self.step is None:
            return None
        return self.images / (self.step.median + sum(o.share for o in self.occasions))

    @property
    def speed(self) -> float | None:
        """Operations a second of a step, such as are counted."""
        if self.flops is None or self.step is None:
            return None
        return self.flops / self.step.median

    @property
    def share(self) -> float | None:
        """That speed as a share of the best that plain operations reach here."""
        if self.roof is None or self.speed is None:
            return None
        return self.speed / self.roof.best

    @property
    def best_batch(self) -> int | None:
        """The smallest batch whose rate is near the best of all."""
        return recommended(self.batches)

    def plain(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        told = asdict(self)
        told["picks"] = [dict(zip(("what", "which", "why"), p, strict=True)) for p in self.picks]
        told["parts_step"], told["whole_rate"] = self.parts_step, self.whole_rate
        told["flops_per_second"], told["share_of_roof"] = self.speed, self.share
        told["best_batch"] = self.best_batch
        return {"format": "gan-bench/1", "units": UNITS, **told}


UNITS = {
    "rate": "images/s",
    "step": "s",
    "parts": "s a step",
    "occasions": "s each time",
    "memory": "bytes",
    "flops": "operations a step",
    "roof": "operations/s",
}


def recommended(batches: list[Sized], near: float = NEAR) -> int | None:
    """The smallest batch whose images/s are at most that share below the best; None for none."""
    rates = {one.batch: one.rate.median for one in batches if one.rate is not None}
    if not rates:
        return None
    enough = (1 - near) * max(rates.values())
    return min(batch for batch, rate in rates.items() if rate >= enough)
