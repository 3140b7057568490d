"""HTML whose text is escaped unless it is said to be markup, and the page around it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gan_cli.strict import clean

LONGEST = 4096
"""Characters of one text on a page, at most."""

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect "
    "width='16' height='16' rx='4' fill='%23c25400'/%3E%3Cpath d='M3.5 11.5l3-4 2.5 2 3.5-5' "
    "stroke='white' stroke-width='1.6' fill='none'/%3E%3C/svg%3E"
)
_VOID = frozenset({"img", "input", "meta", "link", "br"})
_SELECTOR = re.compile(r"(?P<name>\w+)(?:#(?P<id>[\w-]+))?(?P<classes>(?:\.[\w-]+)*)")

Attributes = Mapping[str, object]


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def el(selector: str, *inside: str | None, at: Attributes | None = None) -> Html:
    """An element: `el("td.number", "1 < 2")`; what is inside and no Html is escaped.

    `selector` is `name#id.class.class`. An attribute that is None or False is left out, one that is
    True has no value.
    """
    match = _SELECTOR.fullmatch(selector)
    if match is None:
        raise ValueError(f"{selector!r} is no name#id.class")
    name = match["name"]
    classes = match["classes"].replace(".", " ").strip() or None
    given = {"id": match["id"], "class": classes, **(at or {})}
    head = "".join(_attribute(key, value) for key, value in given.items())
    if name in _VOID:
        return Html(f"<{name}{head}>")
    return Html(f"<{name}{head}>{join(inside)}</{name}>")


def join(pieces: Iterable[str | None], between: str = "") -> Html:
    """Pieces one after the other; those that are no Html are escaped, None is nothing."""
    return Html(between.join(_safe(piece) for piece in pieces if piece is not None))


def facts(rows: Iterable[tuple[str, str]]) -> Html:
    """A list of names and what they are."""
    pairs = (pair for name, text in rows for pair in (el("dt", name), el("dd", text)))
    return el("dl.facts", *pairs)


def data(name: str, value: Any) -> Html:
    """Values for the page's script: strict JSON that can't end its element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace("&", "\\u0026")
    return Html(f'<script type="application/json" id="{name}">{safe}</script>')


def page(title: str, body: str) -> str:
    """A whole page: its policy lets a browser load nothing, and run this script alone."""
    style, script = (Path(__file__).with_name(n).read_text("utf-8") for n in _PARTS)
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    head = [
        Html('<meta charset="utf-8">'),
        el("meta", at={"http-equiv": "Content-Security-Policy", "content": policy}),
        el("meta", at={"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        el("meta", at={"name": "color-scheme", "content": "light dark"}),
        el("meta", at={"name": "referrer", "content": "no-referrer"}),
        el("title", title),
        el("link", at={"rel": "icon", "href": ICON}),
        el("style", Html(style)),
    ]
    whole = [el("head", *head), el("body", body, el("script", Html(script)))]
    return f"<!doctype html>\n{el('html', *whole, at={'lang': 'en'})}\n"


_PARTS = ("style.css", "script.js")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    return f" {key}" if value is True else f' {key}="{html.escape(str(value))}"'


def _safe(piece: str) -> str:
    return piece if isinstance(piece, Html) else html.escape(clean(piece, LONGEST))


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
