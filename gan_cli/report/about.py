"""What a run was asked for, and where it ran: command, settings, versions, machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gan_cli.report.asked import TYPED, Setting, different, every
from gan_cli.report.markup import Html, el, facts
from gan_cli.report.words import many, when
from gan_cli.study.folder import Folder


def asked(folder: Folder) -> Html:
    """The command to repeat it, and what in it is not the default."""
    found = different(folder)
    rows = [_differing(one) for one in found]
    heads = ("Setting", "Value", "Default")
    head = el("thead", el("tr", *(el("th", text) for text in heads)))
    return el(
        "div.card",
        el("div.head", el("h2", "What was asked")),
        command(folder.record.command),
        el(
            "div.head.spaced",
            el("h3", "What differs from the defaults"),
            el("p.hint", "In bold what was typed."),
        ),
        el("div.scroll", el("table", head, el("tbody", *rows)))
        if rows
        else el("p.hint", "Nothing: every setting is at its default."),
    )


def command(text: str) -> Html:
    """A command, and a button that copies it."""
    at = {"type": "button", "data-copy": "command"}
    return el("div.command", el("pre", el("code#command", text)), el("button", "Copy", at=at))


def section(folder: Folder) -> Html:
    """All settings, with a search, and where and with what it ran; folded."""
    return el(
        "section#settings",
        el("div.head", el("h2", "Settings and environment")),
        el("div.card", settings(every(folder)), environment(folder)),
    )


def settings(found: list[Setting]) -> Html:
    """A table of settings, folded, with a search."""
    rows = [el("tr", el("td.key", one.key), el("td.mono", one.value)) for one in found]
    field = {"type": "search", "placeholder": "Search", "data-rows": "all-settings"}
    search = el("input", at=field | {"aria-label": "search the settings"})
    told = el("output#all-settings-told.hint", at={"aria-live": "polite"})
    table = el("table#all-settings", el("tbody", *rows))
    summary = el("summary", f"Whole configuration, {many(len(found), 'setting')}")
    return el("details", summary, el("div.bar.spaced", search, told), el("div.scroll", table))


def environment(folder: Folder) -> Html:
    """Versions, machine, revision and sessions, folded."""
    record = folder.record
    machine, git = _table(record.machine), _table(record.git)
    rows = [(str(name), str(version)) for name, version in _table(record.versions).items()]
    devices = machine.get("devices")
    named = ", ".join(map(str, devices)) if isinstance(devices, list) and devices else "none"
    rows += [("platform", str(machine.get("platform", "–")))]
    rows += [("processors", str(machine.get("cpus", "–"))), ("accelerators", named)]
    if git:
        edited = ", edited" if git.get("dirty") else ""
        rows.append(("git revision", f"{git.get('revision', '–')}{edited}"))
    rows += [(f"session {i}", when(started)) for i, started in enumerate(_starts(folder), 1)]
    return el("details", el("summary", "Environment"), facts(rows))


def _starts(folder: Folder) -> Iterable[str]:
    return [str(session.get("started", "–")) for session in folder.record.sessions[-20:]]


def _differing(one: Setting) -> Html:
    cells = [
        el("td.key", one.key, el("small", one.why) if one.why not in ("", TYPED) else None),
        el("td.mono", one.value),
        el("td.mono", el("small", "–" if one.default is None else one.default)),
    ]
    return el("tr.typed" if one.why == TYPED else "tr", *cells)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
