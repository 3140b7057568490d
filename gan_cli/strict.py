"""What is believed of text that a stranger may have written: strict JSON, and safe printing."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any

DEPTH = 32
"""Lists and objects within one another, at most."""

LONGEST = 4096
"""Characters of one string, at most."""

MARKS = 1 << 20
"""Braces, brackets and commas of a text, at most: what parsing it costs."""


def parse(text: str) -> Any:
    """The value of a JSON text, without what Python's parser adds to JSON or lets pass.

    NaN, infinities, numbers past 64 bits, keys that occur twice, and more than MARKS parts raise
    ValueError.
    """
    if sum(map(text.count, "{[,")) > MARKS:
        raise ValueError("JSON of far too many parts")
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error}") from None
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def check(value: Any, depth: int = 0) -> None:
    """Raise ValueError unless the value is plain JSON within the limits, all of it."""
    if depth > DEPTH:
        raise ValueError(f"JSON that is nested more than {DEPTH} deep")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_string(key)
            check(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            check(item, depth + 1)
    elif isinstance(value, float):
        _finite(value)
    elif isinstance(value, int):
        _check_range(value)
    elif value is not None:
        _check_string(value)


def canonical(value: Any) -> str:
    """The JSON text of a value that has been checked, the same for equal values."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def clean(text: object, longest: int = 200) -> str:
    """Text that is safe to print: no control, escape or invisible characters, not too long."""
    visible = "".join("?" if unicodedata.category(c) in _UNSEEN else c for c in str(text))
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def quote(text: object, longest: int = 60) -> str:
    """A stranger's text in a message: clean, short, and with no brackets to pass for markup."""
    return clean(text, longest).replace("[", "(").replace("]", ")")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("JSON with the same key twice in one object")
    return values


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError("JSON with a number past 64 bits")
    return _check_range(int(digits))


def _check_range(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError("JSON with a number past 64 bits")
    return value


def _finite(value: str | float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("JSON with a number that isn't finite")
    return number


def _check_string(value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f"no JSON: a {type(value).__name__}")
    if len(value) > LONGEST:
        raise ValueError(f"JSON with a string of more than {LONGEST} characters")
    if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError("JSON with a string that isn't Unicode")
