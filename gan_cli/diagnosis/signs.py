"""The signs of a look, given those before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from sys import float_info

from gan_cli.diagnosis import COLLAPSE, Light, Look, Sign
from gan_cli.diagnosis.limits import Limit, Limits

BETTER = 0.1
"""By how much a number must be better than lately, for a run to be on its way."""

NEARER = 0.05
"""By how much less than ever before an energy distance must be, for G to be learning still."""

Past = Sequence[Look]
Reading = Callable[[Past, Look, Limits], Sign | None]


def signs(past: Past, now: Look, limits: Limits | None = None) -> dict[str, Sign]:
    """Every sign that can be told of this look, by name; `past` are those before, in order.

    Red are those alone that were yellow or red at the look before as well, and are not better by a
    tenth than at each of the last `window` looks, but for a number that is not finite: one look may
    be chance, and a run may be on its way. Those of samples are never red at the first `grace`
    looks, when nothing is learnt yet, nor while samples still come nearer to the data.
    """
    limits = limits or Limits()
    found = _read(past, now, limits)
    lately = range(max(0, len(past) - limits.window), len(past))
    earlier = [_read(past[:place], past[place], limits) for place in lately]
    learns = _nearing(past, now)
    for name, sign in found.items():
        if sign.light is not Light.RED or name in AT_ONCE:
            continue
        known = sum(name in look.measured for look in past[: limits.grace])
        early = name in COLLAPSE and (known < limits.grace or learns)
        before = [told[name] for told in earlier if name in told]
        if early or not _lasts(sign, before):
            limit = getattr(limits, name).yellow
            found[name] = replace(sign, light=Light.YELLOW, limit=limit)
    return found


def _nearing(past: Past, now: Look) -> bool:
    """Whether samples were nearer to the data than ever before, at this look or the last one."""
    gaps = [look.measured["distance"] for look in (*past, now) if "distance" in look.measured]
    return any(gaps[-n] < (1 - NEARER) * min(gaps[:-n]) for n in (1, 2) if n < len(gaps))


def _lasts(sign: Sign, before: Sequence[Sign]) -> bool:
    """Whether a sign that is red was there at the look before, and is no better than lately."""
    if not before or before[-1].light is Light.GREEN:
        return False
    values = [one.value for one in before]
    if sign.value <= sign.limit:  # less is worse
        return sign.value <= (1 + BETTER) * max(values)
    return (1 + BETTER) * sign.value >= min(values)


def replay(looks: Past, limits: Limits | None = None) -> Iterator[dict[str, Sign]]:
    """The signs of each look in turn, as they were told while it trained, or under other limits."""
    for count, now in enumerate(looks):
        yield signs(looks[:count], now, limits)


def _read(past: Past, now: Look, limits: Limits) -> dict[str, Sign]:
    told = {name: reading(past, now, limits) for name, reading in READINGS.items()}
    return {name: sign for name, sign in told.items() if sign is not None}


def diversity(past: Past, now: Look, limits: Limits) -> Sign | None:
    """Samples that are all alike."""
    value = now.measured.get("diversity")
    words = "samples differ from each other {:.2f} times as much as real ones do"
    return value if value is None else _sign(value, limits.diversity, words)


def duplicates(past: Past, now: Look, limits: Limits) -> Sign | None:
    """Samples that are there twice."""
    value = now.measured.get("duplicates")
    words = "{:.0%} of samples have a near twin among them, beyond what real ones have"
    return value if value is None else _sign(value, limits.duplicates, words)


def classes(past: Past, now: Look, limits: Limits) -> Sign | None:
    """Samples of few of the classes, or of few of the modes."""
    value = now.measured.get("classes")
    words = "samples fall into {:.2f} times as many classes or modes as real ones"
    return value if value is None else _sign(value, limits.classes, words)


def vanishing(past: Past, now: Look, limits: Limits) -> Sign | None:
    """A gradient of G that has died away while D is sure of everything."""
    value, sure = now.measured.get("gradient/g"), _recent("auc", past, now, limits)
    if value is None or sure is None:
        return None
    usual = [look.measured["gradient/g"] for look in past if "gradient/g" in look.measured]
    first = next((v for look in (*past, now) if (v := look.measured.get("first/g"))), 0.0)
    shares = {"G's gradient is {:.2g} of what it was": max(first, median(usual or [0.0]))}
    shares = {words: value / whole for words, whole in shares.items() if whole > 0}
    if "slope" in now.measured:
        words = "G's loss is {:.2g} times as steep as it would be if D took fakes for real"
        shares[words] = now.measured["slope"]
    if not shares:
        return None
    words = min(shares, key=lambda one: shares[one])
    found = _sign(shares[words], limits.vanishing, words)
    return found if sure >= limits.sure else replace(found, light=Light.GREEN)


def overpowering(past: Past, now: Look, limits: Limits) -> Sign | None:
    """A D that is always right, while samples come no nearer to the data."""
    if "auc" not in now.measured or "distance" not in now.measured:
        return None
    looks = [look for look in (*past, now) if {"auc", "distance"} <= look.measured.keys()]
    stuck, best = 0, math.inf
    for look in looks:
        distance = look.measured["distance"]
        better = distance <= (1 - limits.progress) * best
        well = better or distance < limits.near or look.measured["auc"] < limits.sure
        stuck, best = (0, distance) if well else (stuck + 1, best)
    words = "D has been right about everything for {:.0f} looks, and samples got no better"
    return _sign(stuck, limits.overpowering, words)


def overfitting(past: Past, now: Look, limits: Limits) -> Sign | None:
    """A D that knows by heart what it learns from."""
    value = _recent("overfit", past, now, limits)
    words = "to D, held-out samples are {:.2f} of the way from what it learns from to fakes"
    return value if value is None else _sign(value, limits.overfitting, words)


def gradients(past: Past, now: Look, limits: Limits) -> Sign | None:
    """Gradients that run away."""
    words = "the gradient of {} is {{1}} times its usual size"
    return _growth("gradient/", past, now, limits.gradients, words)


def weights(past: Past, now: Look, limits: Limits) -> Sign | None:
    """Weights that run away."""
    words = "the weights of {} are {{1}} times their usual size"
    return _growth("weights/", past, now, limits.weights, words)


def finite(past: Past, now: Look, limits: Limits) -> Sign | None:
    """Numbers that are none any more."""
    count = now.measured.get("failed", 0.0)
    some = "{:.0f} numbers are" if count > 1 else "a number is"
    words = f"{some} NaN or infinite" if count else "every number is finite"
    return Sign(Light.RED if count else Light.GREEN, count, 1.0, words.format(count))


AT_ONCE = frozenset({"finite"})
"""Signs that are red at the first look."""

BEGUN = {"weights": "begun"}
"""What the first value of a norm is called, of those that say something about later ones."""

SETTLED = 3
"""Looks after which it is known how large a gradient is."""

LATELY = 50
"""Looks from which the usual norm is known."""

READINGS: dict[str, Reading] = {
    "diversity": diversity,
    "duplicates": duplicates,
    "classes": classes,
    "vanishing": vanishing,
    "overpowering": overpowering,
    "overfitting": overfitting,
    "gradients": gradients,
    "weights": weights,
    "finite": finite,
}
"""Every sign and how it is read; None where it can't be."""


def _sign(value: float, limit: Limit, words: str) -> Sign:
    value = min(value, float_info.max)  # of a quotient that overflows
    light = limit.light(value)
    return Sign(light, value, limit.next_to(light), words.format(value, spelled(value)))


def spelled(times: float) -> str:
    """How many times, in three digits, or as a whole number where there are more of them."""
    return f"{times:,.0f}" if 1e3 <= times < 1e6 else f"{times:.3g}"


def _recent(name: str, past: Past, now: Look, limits: Limits) -> float | None:
    """The mean of the last few looks, this one among them."""
    if name not in now.measured:
        return None
    values = [look.measured[name] for look in (*past, now) if name in look.measured]
    few = values[-limits.window :]
    return sum(few) / len(few)


def _growth(kind: str, past: Past, now: Look, limit: Limit, words: str) -> Sign | None:
    """How many times its usual size the norm of a kind is that has grown most."""
    names = [name for name in now.measured if name.startswith(kind)]
    usual = {name: _usual(name, past, now, limit) for name in names}
    shares = {name: now.measured[name] / whole for name, whole in usual.items() if whole > 0}
    if not shares:
        return None
    worst = max(shares, key=lambda name: shares[name])
    return _sign(shares[worst], limit, words.format(worst.removeprefix(kind).upper()))


def _usual(name: str, past: Past, now: Look, limit: Limit) -> float:
    """The median of a norm lately, or of weights what it was at first, if that is more; else 0.

    Of gradients, whose first say little about the later ones, it is known after a few looks.
    What was far beyond usual then is no part of what is usual now.
    """
    begun = next((v for look in (*past, now) if (v := look.measured.get(_begun(name)))), 0.0)
    kept: list[float] = []
    for value in (look.measured[name] for look in past[-LATELY:] if name in look.measured):
        usual = max(begun, median(kept or [0.0]))
        if value < limit.yellow * usual or (not begun and len(kept) < SETTLED):
            kept.append(value)
    return max(begun, median(kept or [0.0])) if begun or len(kept) >= SETTLED else 0.0


def _begun(name: str) -> str:
    """What the first value of a norm is called; "" where it says nothing about later ones."""
    kind, _, player = name.partition("/")
    return f"{BEGUN[kind]}/{player}" if kind in BEGUN else ""
