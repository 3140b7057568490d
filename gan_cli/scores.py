"""Figures with their protocol and interval, as strict JSON; unlike protocols are not compared."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from gan_cli import disk, strict
from gan_cli.errors import BadFile, UserMistake

FORMAT = "gan-evaluation/1"
_LIMIT = 1 << 20


@dataclass(frozen=True)
class Protocol:
    """What a number depends on besides the generator: equal, or it can't be compared.

    data and its SHA-256: what the samples are held against. real, fake: how many samples.
    extractor, features (the SHA-256 of what computes them), resize: how they are seen. weights:
    averaged or raw ones of G. conditions: what G is asked for. settings: those of each metric.
    """

    data: str
    fingerprint: str
    split: str
    real: int
    fake: int
    extractor: str
    features: str
    resize: str
    weights: str
    conditions: str
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def differences(self, other: Protocol, metrics: set[str]) -> list[str]:
        """What keeps figures of these metrics from being compared, as `field: this, that`."""
        told = [
            f"{name}: {_short(a)}, {_short(b)}"
            for name in _FIELDS
            if (a := getattr(self, name)) != (b := getattr(other, name))
        ]
        for metric in sorted(metrics):
            mine, theirs = self.settings.get(metric), other.settings.get(metric)
            if mine != theirs:
                told.append(f"metric.{metric}: {mine}, {theirs}")
        return told


@dataclass(frozen=True)
class Measured:
    """A figure: its value, where it lies with 95 % confidence, and what real samples have.

    floor: the same figure of real samples that G has not learnt from, where there are any. metric:
    which one tells it. better: 1 where more is better, -1 where less is, 0 where neither.
    """

    value: float
    low: float | None
    high: float | None
    floor: float | None
    metric: str
    words: str
    better: int

    def __str__(self) -> str:
        """The value with its error, and what real samples have."""
        error = "" if self.error is None else f" ± {_number(self.error)}"
        floor = "" if self.floor is None else f" (real {_number(self.floor)})"
        return f"{_number(self.value)}{error}{floor}"

    @property
    def error(self) -> float | None:
        """Half the width of the interval, on the side where no bound cuts it off."""
        if self.low is None or self.high is None:
            return None
        return max(self.high - self.value, self.value - self.low)


@dataclass(frozen=True)
class Scores:
    """What an evaluation came to. refused: figures that can't be, or metrics that can't be asked,
    and why. interval: how the intervals were found. checkpoint: what was measured."""

    protocol: Protocol
    figures: dict[str, Measured]
    refused: dict[str, str]
    interval: str
    seed: int
    checkpoint: dict[str, Any]
    about: dict[str, str] = field(default_factory=dict)
    command: str = ""
    seconds: float = 0.0
    format: str = FORMAT

    @property
    def metrics(self) -> set[str]:
        """The metrics that tell the figures."""
        return {one.metric for one in self.figures.values()}

    def to_json(self) -> str:
        """Strict JSON: no NaN, no infinity."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Scores:
        """The scores in a file. Raises BadFile when it is missing, damaged or foreign."""
        try:
            with disk.opened(path) as file:
                data = file.read(_LIMIT + 1)
            if len(data) > _LIMIT:
                raise ValueError("it is too large")
            found = strict.parse(data.decode())
            strict.check(found)
            return cls.parse(found)
        except OSError as error:
            raise BadFile(f"{strict.clean(path)}: {error.strerror}") from error
        except (ValueError, BadFile) as error:
            raise BadFile(f"{strict.clean(path)}: {strict.quote(str(error), 200)}") from error

    @classmethod
    def parse(cls, found: Any) -> Scores:
        """The scores in plain values. Raises BadFile where they are none."""
        try:
            return cls._of(found)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise BadFile(f"no evaluation of gan: {strict.quote(str(error), 200)}") from error

    @classmethod
    def _of(cls, found: Any) -> Scores:
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"not {FORMAT}")
        rest = {key: value for key, value in found.items() if key not in ("protocol", "figures")}
        protocol = Protocol(**found["protocol"])
        figures = {name: Measured(**one) for name, one in found["figures"].items()}
        for name, one in figures.items():
            numbers = (one.value, one.low, one.high, one.floor)
            if not all(_is_number(v) or v is None for v in numbers) or one.value is None:
                raise ValueError(f"{name} is no number")
            told = isinstance(one.metric, str) and isinstance(one.words, str)
            if not told or type(one.better) is not int or one.better not in (-1, 0, 1):
                raise ValueError(f"{name} says not what it is")
        _check_protocol(protocol)
        if not isinstance(rest.get("checkpoint"), dict):
            raise ValueError("it says not what was measured")
        made = cls(protocol=protocol, figures=figures, **rest)
        made._check()
        return made

    def _check(self) -> None:
        """Raise ValueError for a part of another kind than it should be."""
        lists = (self.refused, self.about)
        if not all(isinstance(v, dict) and _are_texts(v.values()) for v in lists):
            raise ValueError("its words are none")
        if not _are_texts((self.interval, self.command)):
            raise ValueError("its interval or its command is no text")
        if type(self.seed) is not int or not _is_number(self.seconds):
            raise ValueError("its seed or its seconds are no number")


def _check_protocol(protocol: Protocol) -> None:
    told = [getattr(protocol, name) for name in _FIELDS]
    kinds = [int if name in _COUNTS else str for name in _FIELDS]
    if not all(type(one) is kind for one, kind in zip(told, kinds, strict=True)):
        raise ValueError("its protocol is none")
    settings = protocol.settings
    if not isinstance(settings, dict) or not all(isinstance(v, dict) for v in settings.values()):
        raise ValueError("its settings are none")


_COUNTS = {"real", "fake"}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def compare(mine: Scores, other: Scores) -> list[tuple[str, Measured, Measured, str]]:
    """The figures that both have, and which is better, in a word.

    A difference counts where it is beyond chance: twice the standard errors of both together.
    UserMistake where the protocols differ, with what differs.
    """
    shared = [name for name in mine.figures if name in other.figures]
    if not shared:
        raise UserMistake("the two evaluations share no figure: ask both for the same --metrics")
    metrics = {mine.figures[name].metric for name in shared}
    if differing := mine.protocol.differences(other.protocol, metrics):
        raise unlike(differing)
    rows = []
    for name in shared:
        a, b = mine.figures[name], other.figures[name]
        rows.append((name, a, b, _verdict(a, b)))
    return rows


def unlike(differing: list[str]) -> UserMistake:
    """What there is to say where protocols differ."""
    told = "\n  ".join(
        ["numbers of unlike protocols can't be compared (this, the other):", *differing]
    )
    return UserMistake(f"{told}\nevaluate both the same way")


def _verdict(a: Measured, b: Measured) -> str:
    """Which of two is better, if that is no chance."""
    if a.error is None or b.error is None or not a.better:
        return ""
    apart = a.value - b.value
    if abs(apart) <= math.hypot(a.error, b.error):
        return "no difference"
    return "better" if apart * a.better > 0 else "worse"


def _number(value: float) -> str:
    """Four digits that count."""
    return f"{value:.4g}"


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else strict.clean(text)


_FIELDS = [entry.name for entry in fields(Protocol)][:-1]  # all but the settings
