"""A curve drawn with the block characters of a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from gan_cli.doctor import Curve

BLOCKS = " ▁▂▃▄▅▆▇█"
ROWS = 5
"""Lines of a chart."""

STEEP = 50.0
"""Largest over smallest from which a scale is logarithmic."""


def chart(curve: Curve, width: int, rows: int = ROWS) -> list[str]:
    """The curve as lines of text of so many columns, with its limits where they lie in it.

    A number that is none leaves a gap; of several in one column the middle one is shown.
    """
    label = max([len(_number(value)) for value in _scale(curve)] + [8])
    room = max(8, width - label - 14)
    columns = _columns(curve.values, room)
    low, high = _ends(curve)
    log = low > 0 and high / low > STEEP
    heights = [None if value is None else _place(value, low, high, log) for value in columns]
    lines = {
        _row(_place(v, low, high, log), rows): f" {n} {_number(v)}"
        for n, v in curve.limits.items()
        if low <= v <= high
    }
    told = []
    for row in range(rows - 1, -1, -1):
        cells = "".join(_cell(height, row, rows, row in lines) for height in heights)
        edge = {rows - 1: _number(high), 0: _number(low)}.get(row, "")
        told.append(f"{edge:>{label}} ┤{cells}{lines.get(row, '')}".rstrip())
    first, last = f"{curve.steps[0]:,}", f"{curve.steps[-1]:,}"
    gap = max(1, len(heights) - len(first) - len(last))
    scale = ", log scale" if log else ""
    told.append(f"{'step':>{label}}  {first}{' ' * gap}{last}  {curve.name}{scale}")
    return told


def _scale(curve: Curve) -> tuple[float, float]:
    return _ends(curve)


def _ends(curve: Curve) -> tuple[float, float]:
    """The least and the greatest that the chart has to show; limits near to the curve as well."""
    values = [value for value in curve.values if math.isfinite(value)]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    near = [v for v in curve.limits.values() if low - (high - low) <= v <= 3 * high or high == low]
    low, high = min([low, *near]), max([high, *near])
    if low > 0 and high / low <= STEEP:
        low = 0.0
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _columns(values: Sequence[float], room: int) -> list[float | None]:
    """So many values at most, each the middle one of those that fall together."""
    count = min(room, len(values))
    told: list[float | None] = []
    for index in range(count):
        part = values[index * len(values) // count : (index + 1) * len(values) // count]
        finite = [value for value in part if math.isfinite(value)]
        told.append(median(finite) if finite else None)
    wide = max(1, min(4, room // max(1, count)))
    return [value for value in told for _ in range(wide)]


def _place(value: float, low: float, high: float, log: bool) -> float:
    """Where a value lies between the ends, from 0 to 1."""
    if log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)


def _row(place: float, rows: int) -> int:
    return min(rows - 1, int(place * rows))


def _cell(height: float | None, row: int, rows: int, limit: bool) -> str:
    """One character: how much of this row the value fills; a dash where a limit lies above it."""
    eighths = 0 if height is None else round((height * rows - row) * 8)
    if row == 0 and height is not None:
        eighths = max(1, eighths)
    sign = BLOCKS[max(0, min(8, eighths))]
    return "╌" if sign == " " and limit else sign


def _number(value: float) -> str:
    return f"{value:.3g}"
