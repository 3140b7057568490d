"""Text that a stranger wrote: parsed strictly, and printed safely."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_cli import strict

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_plain_json_survives(value: object) -> None:
    strict.check(value)
    text = strict.canonical(value)
    assert strict.parse(text) == value
    assert strict.canonical(strict.parse(text)) == text


BAD = [
    "NaN",
    "[Infinity]",
    "-Infinity",
    "1e999",
    '{"a":1,"a":1}',
    "{a:1}",
    "",
    "[1,]",
    "'a'",
    "1 2",
]


@pytest.mark.parametrize("text", [*BAD, "9" * 19, "9" * 9999, "[" * 200_000, "\ufeff1"])
def test_what_is_no_strict_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(no )?JSON"):
        strict.parse(text)


@pytest.mark.parametrize(
    "value", [{1: 2}, {1, 2}, b"x", "\ud800", {"\udfff": 1}, "x" * 4097, 2**63, float("inf")]
)
def test_what_is_not_plain_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        strict.check({"a": [value]})


@pytest.mark.parametrize("depth", [31, 32])
def test_depth_has_a_limit(depth: int) -> None:
    value: object = 1
    for _ in range(depth):
        value = [value]
    if depth == 31:
        strict.check([value])
    else:
        with pytest.raises(ValueError, match="nested"):
            strict.check([value])


@given(st.text(), st.integers(2, 50))
def test_clean_text_is_printable_short_and_the_same_when_cleaned_again(text: str, n: int) -> None:
    cleaned = strict.clean(text, n)
    assert len(cleaned) <= n
    assert cleaned.isprintable() or all(c.isprintable() or c.isspace() for c in cleaned)
    assert not any(c in cleaned for c in "\n\r\x1b\x07\x9b\u202e\u2066")
    assert strict.clean(cleaned, n) == cleaned
    cleaned.encode()


@given(st.text("[]/link=a\x1b\\", max_size=30))
def test_a_quote_holds_no_markup(text: str) -> None:
    from rich.markup import render

    quoted = strict.quote(text)
    assert render(quoted).plain == quoted
    assert render(quoted).spans == []


def test_ordinary_text_stays_as_it_is() -> None:
    text = "outputs/größe 64×64 [b] – \u96ea.png"
    assert strict.clean(text) == text
    assert json.loads(strict.canonical({"a": text})) == {"a": text}
