"""Time taken and shared out, by a clock that is given: with one that is not real, exactly."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Clock = Callable[[], float]
"""Seconds since whenever; on a GPU when all that was asked of it is done."""

Place = tuple[object, str, str]
"""An object, the name of a method of it, and the part that its time counts to."""

REST = "the rest"
"""The part of what no other part has taken."""


LEAST, BLOCKS = 3, 8
"""Rounds at least, and as many as are wished for."""

BLOCK = 0.1
"""Seconds of a block of steps at least, where one step is not longer."""

LONGEST = 512
"""Steps of a block at most for which what is lazy is waited for."""


@dataclass(frozen=True)
class Spread:
    """The median of repeated measurements and their quartiles, in the unit of the values."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one value or more; ValueError for none."""
        if not values:
            raise ValueError("a spread is of one value or more")
        low, middle, high = (
            statistics.quantiles(values, n=4, method="inclusive")
            if len(values) > 1
            else [values[0]] * 3
        )
        return cls(middle, low, high, len(values))


def ratios(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """How many times as fast the second is, from the seconds of both in each round, `(R,), (R,)`.

    Each round is compared by itself: what disturbs a machine for longer than a round is in both.
    """
    return Spread.of([one / other for one, other in zip(slow, fast, strict=False)])


def seconds(work: Callable[[], object], clock: Clock) -> float:
    """How long it takes once."""
    begun = clock()
    work()
    return clock() - begun


def interleave(
    works: Mapping[str, Callable[[], object]],
    clock: Clock,
    budget: float,
    least: int,
    found: dict[str, list[float]],
    before: Callable[[str], object] = lambda name: None,
) -> None:
    """Each work in turn, in rounds, for so many seconds and `least` rounds; the seconds of each.

    Every other round is in the opposite order, so that none always comes after the same. `found`
    has what is known so far, whatever ends it. `before` each time there may be something to do
    that does not count.
    """
    for name in works:
        found.setdefault(name, [])
    begun, names, rounds = clock(), list(works), 0
    while rounds < least or clock() - begun < budget:
        for name in names:
            before(name)
            found[name].append(seconds(works[name], clock))
        names.reverse()
        rounds += 1


def block(step: float, turn: int, every: int, budget: float) -> int:
    """Steps of a block: BLOCK seconds at least, and all that is lazy or logged as often in each.

    step: seconds of one. turn, every: the steps after which penalties, and the log, begin anew: as
    far as the `budget`, in seconds for all blocks, is enough for BLOCKS or LEAST of them.
    """
    whole = math.lcm(turn, every)
    if whole > LONGEST or whole * step * BLOCKS > budget:
        whole = turn
    if whole > LONGEST or whole * step * LEAST > budget:
        whole = 1
    shortest = min(BLOCK, budget / BLOCKS)
    return whole * max(1, math.ceil(shortest / max(whole * step, 1e-9)))


class Stopwatch:
    """Shares time out among parts: what a part takes within another is its own alone.

    So the parts add up to the time between `start` and `stop`, exactly.
    """

    def __init__(self, clock: Clock):
        self._clock = clock
        self._open: list[str] = []
        self._since = 0.0
        self.taken: dict[str, float] = {}

    def start(self) -> None:
        """From now on time counts: to REST, where no part is open."""
        self._since, self._open = self._clock(), [REST]

    def stop(self) -> None:
        """No more time counts."""
        self._settle()
        self._open = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time counts to this part, as long as it is open and no other is within it."""
        if not self._open:
            yield
            return
        self._settle()
        self._open.append(name)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()

    def _settle(self) -> None:
        now, name = self._clock(), self._open[-1]
        self.taken[name] = self.taken.get(name, 0.0) + now - self._since
        self._since = now

    @property
    def whole(self) -> float:
        """All the time that counted."""
        return sum(self.taken.values())


@contextmanager
def listening(watch: Stopwatch, places: Iterable[Place]) -> Iterator[None]:
    """As long as it is open, the time in each of these methods counts to its part."""
    before: list[tuple[dict[str, Any], str, bool, Any]] = []
    try:
        for thing, name, part in places:
            own, method = vars(thing), getattr(thing, name)
            before.append((own, name, name in own, method))
            own[name] = _heard(watch, part, method)
        yield
    finally:
        for own, name, had, method in reversed(before):
            if had:
                own[name] = method
            else:
                del own[name]


def _heard(watch: Stopwatch, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def heard(*args: Any, **named: Any) -> Any:
        with watch.part(part):
            return method(*args, **named)

    return heard
