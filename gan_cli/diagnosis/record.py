"""A look as a row of `diagnosis.jsonl`, and back."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from gan_cli.diagnosis import Light, Look, Sign, light

NAME = "diagnosis.jsonl"
"""The file of a run directory that holds a row a look."""

Told = dict[str, Sign]
"""The signs of a look, by name."""


def row(look: Look, told: Told) -> dict[str, Any]:
    """The row: step, light, signs and what was measured, as plain values."""
    return {
        "step": look.step,
        "light": light(told).word,
        "signs": {n: asdict(sign) | {"light": sign.light.word} for n, sign in told.items()},
        "measured": dict(look.measured),
    }


def parse(row: dict[str, Any]) -> tuple[Look, Told]:
    """The look and its signs; ValueError where a row is none."""
    try:
        step, measured = row["step"], row["measured"]
        if type(step) is not int or not all(map(_number, measured.values())):
            raise ValueError("no look")
        told = {str(name): _sign(said) for name, said in row["signs"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no row of a diagnosis") from error
    return Look(step, {str(name): float(value) for name, value in measured.items()}), told


def _sign(said: dict[str, Any]) -> Sign:
    value, limit = said["value"], said["limit"]
    if not (_number(value) and _number(limit) and isinstance(said["words"], str)):
        raise ValueError("no sign")
    return Sign(Light.of(said["light"]), float(value), float(limit), said["words"])


def _number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
