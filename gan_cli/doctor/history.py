"""The looks at a run: as they were kept while it trained, or what its metrics alone can tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from statistics import median

from gan_cli.diagnosis import Look
from gan_cli.diagnosis.record import Told, parse
from gan_cli.diagnosis.signs import replay
from gan_cli.study.folder import Folder

Seen = list[tuple[Look, Told]]
"""Looks in order, with the signs of each."""

WINDOWS = 40
"""Looks that the metrics of a run are made into."""

FIRST = 20
"""Updates of a player that stand for its first gradient."""

_NORM = "grad_norm/"

WORST = {
    "gan_cli.loss.nonsaturating.NonSaturating": 2 * math.log(2),
    "gan_cli.loss.minimax.Minimax": 2 * math.log(2),
    "gan_cli.loss.maximum_likelihood.MaximumLikelihood": 2 * math.log(2),
    "gan_cli.loss.rsgan.RSGAN": math.log(2),
    "gan_cli.loss.hinge.Hinge": 2.0,
    "gan_cli.loss.lsgan.LSGAN": 0.25,
}
"""The least that D pays for a real and a fake sample that it puts in the wrong order.

So by Markov's inequality it puts a share of at most its loss over this in the wrong order, and the
area under its ROC curve is at least 1 less that.
"""


def seen(folder: Folder) -> tuple[Seen, bool]:
    """The looks at a run, and whether they were kept while it trained."""
    kept: Seen = []
    for row in folder.diagnosis:
        with suppress(ValueError):
            kept.append(parse(row))
    if kept:
        return kept, True
    looks = _from_metrics(folder)
    return list(zip(looks, replay(looks), strict=True)), False


def _from_metrics(folder: Folder) -> list[Look]:
    """Looks at the gradients, at D's loss, and at whether all numbers are finite."""
    columns = folder.metrics(10 * WINDOWS)
    steps = [int(step) for step in columns.get("step", [])]
    norms = {name: values for name, values in columns.items() if name.startswith(_NORM)}
    worst = WORST.get(str(folder.config.get("loss._target_")))
    size = max(1, math.ceil(len(steps) / WINDOWS))
    looks = []
    for start in range(0, len(steps), size):
        part = slice(start, start + size)
        measured = _each(norms, part, median, "gradient/")
        if start == 0:
            measured |= _each(norms, slice(0, FIRST), median, "first/")
        if worst and (paid := _finite(columns.get("loss/d", [])[part])):
            measured["auc"] = max(0.0, 1 - sum(paid) / len(paid) / worst)
        looks.append(Look(steps[part][-1], measured))
    bad = [n for n, v in folder.last.items() if isinstance(v, float) and not math.isfinite(v)]
    if bad and looks:
        step = _since(columns, bad)
        looks = [look for look in looks if look.step < step]
        looks.append(Look(step, {"failed": float(len(bad))}))
    return looks


def _since(columns: Mapping[str, Sequence[float]], names: Sequence[str]) -> int:
    """The step from which on none of these is a number any more."""
    steps = columns["step"]
    first = len(steps) - 1
    while first and not any(math.isfinite(columns[name][first - 1]) for name in names):
        first -= 1
    return int(steps[first])


def _each(
    norms: Mapping[str, Sequence[float]],
    part: slice,
    of: Callable[[list[float]], float],
    prefix: str,
) -> dict[str, float]:
    found = {name.removeprefix(_NORM): _finite(values[part]) for name, values in norms.items()}
    return {f"{prefix}{name}": of(values) for name, values in found.items() if values}


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]
