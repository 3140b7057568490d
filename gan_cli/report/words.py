"""Numbers, spans and dates as they stand on a page."""

from __future__ import annotations

import math
from datetime import datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def number(value: float | None) -> str:
    """Four digits that count; a dash for none."""
    if value is None or short(value) is None:
        return "–"
    return f"{value:.4g}".replace("-", "−").replace("e+0", "e").replace("e−0", "e−")


def rate(value: float) -> str:
    """So many a second: whole ones, where there are many."""
    return f"{value:,.0f}" if 100 <= value < 1e15 else number(value)


def plus_minus(error: float | None) -> str:
    """An error in two digits; nothing for none."""
    return "" if error is None or math.isnan(error) else f"± {error:.2g}"


def count(value: int) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}"


def many(value: int, thing: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count(value)} {thing}{'' if value == 1 else 's'}"


def span(seconds: float) -> str:
    """`4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 days 4 h`."""
    if not 0 <= seconds < 1e10:
        return "–"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} days {whole % _DAY // _HOUR} h"


def when(text: str) -> str:
    """A time as a record has it, for a reader; as it stands where it is none."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{told.day} {told:%b %Y, %H:%M}"


def short(value: float) -> float | None:
    """A number for a curve: five digits are more than a screen shows; None where it is none."""
    try:
        return float(f"{value:.5g}") if math.isfinite(value) else None
    except OverflowError:  # a whole number that no float can hold
        return None
