"""Evaluations on the card of an export: each under what its numbers depend on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
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


def once(newest_first: Mapping[str, Scores]) -> dict[str, Scores]:
    """Evaluations by their names, in which no figure of the same data is told twice.

    Of equal figures the one of most samples stays, and of those the newest. What has then nothing
    to tell is left out.
    """
    every = {name: _spelt(one) for name, one in newest_first.items()}
    best: dict[tuple[str, str, str], str] = {}
    for name in sorted(every, key=lambda name: -_samples(every[name])):  # equals keep their order
        for figure in every[name].figures:
            best.setdefault(_what(every[name], figure), name)
    kept = {}
    for name, one in every.items():
        figures = {k: v for k, v in one.figures.items() if best[_what(one, k)] == name}
        if figures:
            kept[name] = replace(one, figures=figures)
    return kept


def _spelt(one: Scores) -> Scores:
    """Figures whose words stand by themselves: indented ones go on from those above them."""
    told, above = {}, ("", "")
    for name, figure in one.figures.items():
        words = str(figure.words)
        if not words.startswith(" "):
            above = figure.metric, words
        elif above[0] == figure.metric:
            words = f"{above[1]}, {words.strip()}"
        told[name] = replace(figure, words=words.strip())
    return replace(one, figures=told)


def _what(one: Scores, name: str) -> tuple[str, str, str]:
    """What makes figures equal: what they are of, and their name."""
    return str(one.protocol.data), str(one.protocol.split), name


def _samples(one: Scores) -> int:
    fake: object = one.protocol.fake
    return fake if isinstance(fake, int) else 0


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


def _settings(value: Any) -> str:
    """What a metric was asked with, as key=value."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in value.items())


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
    } | {
        f"Settings of {span(k)}": span(_settings(v))
        for k, v in list(protocol.settings.items())[:MOST]
        if v and k in scores.metrics
    }
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
