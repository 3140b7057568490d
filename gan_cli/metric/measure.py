"""Figures of an examination: measured, given an interval, and not believed where they can't be."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gan_cli.metric import Estimate, Exam, Figure, Metric, Untrue
from gan_cli.scores import Measured
from gan_cli.theory import interval

BLOCKS = 10
"""Blocks of the samples, each left out once for the intervals."""

BELIEVED = 0.5
"""The share of the floor below which a distance is not believed: fresh real samples have twice as
much, so it is copies, or a fault."""

JACKKNIFE = f"95 %: by what the metric knows, else by the jackknife over {BLOCKS} blocks"
"""Where the intervals of one set of samples come from."""


def measure(
    metrics: Mapping[str, Metric], exams: list[Exam], floors: Mapping[str, float], like: bool
) -> tuple[dict[str, Measured], dict[str, str]]:
    """The figures by name, and what is refused: metrics that can't be asked, numbers that can't be.

    Of one exam the intervals are by the jackknife, of several (other samples of the same generator)
    by their spread, and the figures their means. `like`: whether `floors` are of as many samples.
    """
    figures: dict[str, Measured] = {}
    refused: dict[str, str] = {}
    for name, metric in metrics.items():
        if reason := metric.refuses(exams[0]):
            refused[name] = reason
            continue
        try:
            told = _repeated(metric, exams) if len(exams) > 1 else _spread(metric, exams[0])
        except Untrue as error:
            refused[name] = str(error)
            continue
        for key, (value, half) in told.items():
            figure, floor = metric.figures[key], floors.get(key)
            if doubt := _doubt(figure, value, half, floor if like else None):
                refused[key] = doubt
                continue
            low, high = _within(figure, value, half)
            figures[key] = Measured(value, low, high, floor, name, figure.words, figure.better)
    return figures, refused


def values(metrics: Mapping[str, Metric], exam: Exam) -> dict[str, float]:
    """The bare figures of those metrics that can be asked."""
    told: dict[str, float] = {}
    for metric in metrics.values():
        try:
            found = {} if metric.refuses(exam) else metric(exam)
        except Untrue:
            continue
        told |= {name: one.value for name, one in found.items() if math.isfinite(one.value)}
    return told


def _spread(metric: Metric, exam: Exam) -> dict[str, tuple[float, float | None]]:
    """Each figure of a metric, and half the width of its interval."""
    whole = metric(exam)
    parts: list[dict[str, Estimate]] = []
    if any(one.error is None for one in whole.values()) and len(exam.fake) >= 2 * BLOCKS:
        parts = [metric(exam.without(block, BLOCKS)) for block in range(BLOCKS)]
    told: dict[str, tuple[float, float | None]] = {}
    for name, one in whole.items():
        half = None if one.error is None else interval.NORMAL * one.error
        if half is None and parts and all(name in part for part in parts):
            half = interval.jackknife([part[name].value for part in parts])
        told[name] = one.value, half
    return told


def _repeated(metric: Metric, exams: list[Exam]) -> dict[str, tuple[float, float | None]]:
    """The mean of each figure over several sets of samples, and half the width of its interval."""
    told = [metric(exam) for exam in exams]
    names = [name for name in told[0] if all(name in one for one in told)]
    values = {name: [one[name].value for one in told] for name in names}
    return {name: (math.fsum(v) / len(v), interval.repeats(v)) for name, v in values.items()}


def _within(
    figure: Figure, value: float, half: float | None
) -> tuple[float, float] | tuple[None, None]:
    """The interval, as far as such numbers can lie."""
    if half is None or not math.isfinite(half):
        return None, None
    return max(figure.low, value - half), min(figure.high, value + half)


def _doubt(figure: Figure, value: float, half: float | None, floor: float | None) -> str:
    """Why a number can't be, or ''."""
    slack = 1e-6 * max(1.0, abs(value))
    if not math.isfinite(value) or not figure.low - slack <= value <= figure.high + slack:
        return f"{value:.6g}, where it lies between {figure.low:g} and {figure.high:g}: a fault"
    if figure.floored and floor is not None and value + (half or 0.0) < BELIEVED * floor:
        return (
            f"{value:.4g} is less than half of what fresh real samples have ({floor:.4g}): copies "
            "of the reference, or a fault of the evaluation"
        )
    return ""
