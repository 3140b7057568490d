"""What there is to tell of a thing, and how it is written: for a terminal, or as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field

from gan_cli import cli_docs as docs
from gan_cli.cli_page import Page

FORMULAS = {"D minimises": "d", "G minimises": "g"}
"""The methods of a loss whose docstrings begin with a formula."""

Rows = list[tuple[str, str]]
"""Two columns: what is typed, and what it is."""


@dataclass
class Explained:
    """What there is to tell: a title, paragraphs, and labelled rows under them."""

    title: str
    source: str = ""
    text: list[str] = field(default_factory=list)
    rows: dict[str, str | Rows] = field(default_factory=dict)
    lines: int = 2
    """Of each row of a listing, at most."""


def describe(found: Explained, described: list[docs.Doc]) -> None:
    """The two lines of a loss."""
    for label, method in FORMULAS.items():
        said = [text for doc in described if (text := doc.methods.get(method))]
        found.rows[label] = "; ".join(said)


def labels(doc: docs.Doc) -> dict[str, str]:
    """The labelled paragraphs as sentences; a symbol or a setting is no word to begin one."""
    starts = {label: text.partition(" ")[0] for label, text in doc.labels.items()}
    words = {label for label, word in starts.items() if word.rstrip(".,").isalpha() and word[1:]}
    return {k: capital(text) if k in words else text for k, text in doc.labels.items()}


def cite(found: Explained, *more: str) -> None:
    """The sources, with their links."""
    papers = docs.cited([*found.text, *more])
    found.rows["Papers" if len(papers) > 1 else "Paper"] = [
        (
            f"{paper.who}, {paper.place}" if paper.place else paper.who,
            f"https://arxiv.org/abs/{paper.arxiv}" if paper.arxiv else "",
        )
        for paper in papers
    ]


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def write_page(found: list[Explained]) -> None:
    """For a terminal."""
    page = Page.make()
    for one in found:
        page.title(one.title, one.source)
        for text in one.text:
            page.text(text)
        for label, body in one.rows.items():
            if not body:
                continue
            if label not in list(FORMULAS)[1:]:  # they stand together
                page.lines.append("")
            if label:
                page.row(label, page.words(body) if isinstance(body, str) else page.table(body))
            elif not isinstance(body, str):
                page.lines += [f"  {line}" for line in page.table(body, hang=2, most=one.lines)]
    page.show()


def markdown(found: list[Explained]) -> None:
    """For a document."""
    page = Page(width=100)
    for one in found:
        page.lines += [f"## `{one.title}`" if "=" in one.title else f"## {one.title}", ""]
        page.lines += [part for text in one.text for part in (text, "")]
        for label, body in one.rows.items():
            head = f"**{label}.** " if label else ""
            if isinstance(body, str):
                page.lines += [head + body, ""] if body else []
            elif body:
                page.lines += [head.strip(), ""] if head else []
                page.lines += [f"- `{left}`{': ' if right else ''}{right}" for left, right in body]
                page.lines.append("")
    page.show()
