"""Where a run may go back to: which of its checkpoints are good, and which must stay for that.

A function of the steps of checkpoints and of the looks at the run alone, so that it is the same
however often the run was stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple


class Seen(NamedTuple):
    """A look at a step, and whether it was red."""

    step: int
    red: bool


def homes(there: Sequence[int], looks: Sequence[Seen], used: Collection[int]) -> list[int]:
    """The checkpoints to go back to, in the order of choice; `there` is every one, newest first.

    The newest that is good, the newest of which two later looks say so, the newest of these that
    was not `used` before, and the first step of all; those that were used come last.
    """
    good = [step for step in there if is_good(step, looks)]
    found = sorted({*good[:1], *_sure(good, looks, used)}, reverse=True)
    return sorted(found, key=lambda step: step in used)


def kept(there: Sequence[int], looks: Sequence[Seen], used: Collection[int]) -> frozenset[int]:
    """The checkpoints that must stay: what the run may go back to, now or after the next looks."""
    good = [step for step in there if is_good(step, looks)]
    lately = (_newest(step for step in good if step <= look.step) for look in looks[-2:])
    return frozenset({*_sure(good, looks, used)}.union(*lately))


def is_good(step: int, looks: Sequence[Seen]) -> bool:
    """Whether no look at this step or beside it was red; before the first step all is well.

    Beside it are the look before, the next, and the one after that: a sign turns red a look late.
    """
    after = _after(step, looks)
    return step == 0 or not any(look.red for look in looks[max(0, after - 1) : after + 2])


def _sure(good: Sequence[int], looks: Sequence[Seen], used: Collection[int]) -> list[int]:
    sure = [step for step in good if step == 0 or _after(step, looks) + 2 <= len(looks)]
    unused = (step for step in sure if step not in used)
    return [*sure[:1], *_newest(unused), *sure[-1:]]


def _newest(steps: Iterable[int]) -> list[int]:
    return list(steps)[:1]


def _after(step: int, looks: Sequence[Seen]) -> int:
    """The place of the first look at this step or after it."""
    return next((i for i, look in enumerate(looks) if look.step >= step), len(looks))
