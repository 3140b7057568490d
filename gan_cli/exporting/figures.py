"""Evaluations on the card of an export: each under what its numbers depend on."""

from __future__ import annotations

from typing import Any

from gan_cli.exporting.markup import span, table, worded
from gan_cli.scores import Measured, Scores
from gan_cli.strict import clean

MOST = 64
"""Figures of an evaluation that are told, at most."""


def figures(scores: list[Scores]) -> str:
    """Evaluations as a section of the card; nothing where there are none."""
    if not scores:
        return ""
    head = ("figure", "what it is", "value", "interval", "floor", "better is")
    parts = ["## Figures"]
    for one in scores:
        rows = [(span(k), worded(v.words), *_numbers(v)) for k, v in _told(one)]
        parts += [_protocol(one), table(head, rows)]
    return "\n\n".join(parts)


def result(scores: Scores, task: str | None) -> dict[str, Any]:
    """An evaluation as a model index has it."""
    protocol = scores.protocol
    data = clean(protocol.data)
    return {
        "task": {"type": task or "other"},
        "dataset": {"type": data, "name": data, "split": clean(protocol.split)},
        "metrics": [
            {"type": clean(name), "value": _rounded(one.value), "name": clean(one.words)}
            for name, one in _told(scores)
        ],
    }


def _told(scores: Scores) -> list[tuple[str, Measured]]:
    return list(scores.figures.items())[:MOST]


def _protocol(scores: Scores) -> str:
    """What the numbers of an evaluation depend on, and what their intervals are."""
    protocol = scores.protocol
    floor = scores.about.get("floor", "") if isinstance(scores.about, dict) else ""
    told = {
        "Samples": f"{worded(protocol.fake)} of seed {worded(scores.seed)}, "
        f"{worded(protocol.weights)} weights",
        "Real": f"{worded(protocol.real)} of {worded(protocol.data)} ({worded(protocol.split)}), "
        f"{_short(protocol.fingerprint)}",
        "Seen through": f"{worded(protocol.extractor)} {_short(protocol.features)}, resized: "
        f"{worded(protocol.resize)}",
        "Interval": worded(scores.interval),
        "Floor, the same figure of": worded(floor) if floor else "none",
    } | {f"Settings of {span(k)}": span(v) for k, v in list(protocol.settings.items())[:MOST] if v}
    lines = "\n".join(f"- {name}: {value}" for name, value in told.items())
    return f"{lines}\n\nNumbers of another protocol can't be compared with these."


def _short(digest: object) -> str:
    return span(str(digest)[:12])


def _numbers(one: Measured) -> tuple[str, str, str, str]:
    """Value, interval, floor, and which way is better."""
    low, high, floor = one.low, one.high, one.floor
    between = "" if low is None or high is None else f"{low:.4g} to {high:.4g}"
    way = {1: "more", -1: "less", 0: "neither"}[one.better]
    return f"{one.value:.4g}", between, "" if floor is None else f"{floor:.4g}", way


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
