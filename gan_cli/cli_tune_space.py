"""The overrides of `gan tune`: those that are fixed, and what the others leave to be searched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    RangeSweep,
)
from hydra.errors import HydraException
from omegaconf import DictConfig

from gan_cli import cli_keys
from gan_cli.cli_compose import Composer, plain
from gan_cli.cli_diagnose import MOST, diagnose
from gan_cli.errors import UserMistake
from gan_cli.tune.space import Among, Between, Range

_WHERE = frozenset({"seed", "steps", "images", "epochs", "outputs"})
"""Keys that are no settings to search for: luck, the budget, and places."""

_ITS_OWN = {
    "resume": "the same command continues a search",
    "run_dir": "each trial has a directory of its own; outputs=DIR is where",
    "fresh": "another --name is a search that begins anew",
}
"""Keys that a search settles itself, and what to do instead."""

EXAMPLE = "optimizer.lr=tag(log,interval(1e-5,1e-2))"
"""Something to search, as it is typed."""


@dataclass(frozen=True)
class Asked:
    """A search as it was asked for: fixed overrides, and what each of the others may be.

    `default`: the values of the searched keys when nothing is said of them; {} where one of them
    lies outside of what is searched.
    """

    fixed: list[str]
    space: dict[str, Range]
    default: dict[str, Any]

    @property
    def notes(self) -> list[str]:
        """What there is to say of it."""
        outside = "the default lies outside of what is searched: it is run beside, to compare with"
        return [] if self.default else [outside]

    def overrides(self, values: dict[str, str]) -> list[str]:
        """The command of a trial: what is fixed, and these values."""
        return [*self.fixed, *(f"{key}={value}" for key, value in values.items())]


def read(composer: Composer, overrides: list[str]) -> Asked:
    """Take the overrides apart, those that a file brings along (hydra.sweeper.params) included.

    Raises UserMistake with every problem: of the keys, of their values and of the intervals.
    """
    parsed = [_parsed(composer, text) for text in overrides]
    fixed = [str(o.input_line) for o in parsed if not o.is_sweep_override()]
    swept = {o.get_key_element(): o for o in parsed if o.is_sweep_override()}
    base = _composed(composer, fixed, overrides)
    named = {o.get_key_element() for o in parsed}
    for key, text in (base.hydra.sweeper.get("params") or {}).items():
        if key not in named:
            swept[key] = _parsed(composer, f"{key}={text}")
    if not swept:
        raise UserMistake(f"nothing is to be searched: several values or an interval, '{EXAMPLE}'")
    values = plain(base)
    space = {key: _range(o, cli_keys.look_up(values, key)[1]) for key, o in swept.items()}
    for end in (0, -1):
        tried = [f"{key}={','.join(one.checks(end)[:MOST])}" for key, one in space.items()]
        diagnose(composer, [*fixed, *tried], multirun=True).complain()
    return Asked(fixed, space, _default(composer, fixed, values, space))


def _parsed(composer: Composer, text: str) -> Override:
    """One override; what breaks the grammar is told as `gan train` does."""
    try:
        override = composer.parse(text)
    except HydraException:
        diagnose(composer, [text], multirun=True).complain()
        raise UserMistake(f"{text}: this can't be read as KEY=VALUE") from None
    key = override.get_key_element()
    if override.is_sweep_override() and key in _WHERE:
        raise UserMistake(f"{text}: {key} is no setting to search for: give it one value")
    if override.is_hydra_override():
        raise UserMistake(f"{text}: gan tune searches by itself: gan train -m takes that")
    if key in _ITS_OWN:
        raise UserMistake(f"{text}: {_ITS_OWN[key]}")
    return override


def _composed(composer: Composer, fixed: list[str], overrides: list[str]) -> DictConfig:
    """What is fixed; where it can't be composed, every problem there is with the command."""
    try:
        return composer.compose(fixed)
    except UserMistake:
        diagnose(composer, overrides, multirun=True).complain()
        raise


def _range(override: Override, default: Any) -> Range:
    """What an override lets its key be, where its value is `default` otherwise."""
    sweep, text = override.value(), override.input_line
    try:
        if isinstance(sweep, IntervalSweep):
            return _interval(sweep, default)
        if isinstance(sweep, RangeSweep):
            return _steps(sweep)
        if isinstance(sweep, ChoiceSweep) and "log" in sweep.tags:
            raise ValueError("a choice has no logarithm")
        values = tuple(islice(override.sweep_string_iterator(), MOST + 1))
        if len(values) > MOST:
            raise ValueError(f"more than {MOST} values: an interval, or a range")
        return Among(values)
    except ValueError as error:
        raise UserMistake(f"{text}: {error}") from error


def _interval(sweep: IntervalSweep, default: Any) -> Between:
    """Whole numbers where the key wants them, or the bounds were made such by int()."""
    low, high = sweep.start, sweep.end
    assert low is not None
    assert high is not None
    whole = isinstance(low, int) and isinstance(high, int)
    even = float(low).is_integer() and float(high).is_integer()
    return Between(
        low, high, "log" in sweep.tags, whole=whole or (cli_keys.is_whole(default) and even)
    )


def _steps(sweep: RangeSweep) -> Range:
    """range(start,stop,step), without its stop, as Hydra has it."""
    low, stop, step = sweep.start or 0, sweep.stop, sweep.step
    assert stop is not None
    if step <= 0 or stop <= low:
        raise ValueError("range(start,stop,step) goes up")
    count = math.ceil((stop - low) / step - 1e-9)
    whole = all(isinstance(one, int) for one in (low, stop, step))
    if count == 1:
        return Among((str(low),))
    return Between(low, low + (count - 1) * step, "log" in sweep.tags, step, whole)


def _default(
    composer: Composer, fixed: list[str], base: dict[str, Any], space: dict[str, Range]
) -> dict[str, Any]:
    """The searched keys as they are when nothing is said of them, or {}."""
    found: dict[str, Any] = {}
    for key, one in space.items():
        if isinstance(one, Between):
            there, value = cli_keys.look_up(base, key)
            fits = [value] if there and one.holds(value) else []
        else:
            fits = [v for v in one.values if _same(composer, base, [*fixed, f"{key}={v}"])]
        if not fits:
            return {}
        found[key] = fits[0]
    return found


def _same(composer: Composer, base: dict[str, Any], overrides: list[str]) -> bool:
    try:
        return plain(composer.compose(overrides)) == base
    except UserMistake:
        return False
