"""What a class says about itself, read from the text of its file: nothing is imported or run."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from inspect import cleandoc
from pathlib import Path

LABELS = ("Curves", "Needs", "Trouble")
"""The labelled paragraphs at the end of an entry's docstring."""


@dataclass(frozen=True)
class Doc:
    """A docstring in its parts, and the first sentence of each method's.

    `summary` is its first line; `text` the paragraphs after it; `labels` what stands behind
    `Curves:`, `Needs:` and `Trouble:`.
    """

    summary: str = ""
    text: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cited:
    """A source: authors and year, where in it, and its arXiv number."""

    who: str
    place: str = ""
    arxiv: str = ""


def split(docstring: str) -> Doc:
    """The parts of a docstring."""
    labels: dict[str, str] = {}
    rest: list[str] = []
    label = ""
    for line in cleandoc(docstring).splitlines():
        name, colon, text = line.partition(":")
        if colon and name in LABELS:
            label, labels[name] = name, text.strip()
        elif not line.strip():
            label = ""
            rest.append("")
        elif label:
            labels[label] += f" {line.strip()}"
        else:
            rest.append(line)
    blocks = [block.strip("\n") for block in re.split(r"\n\s*\n", "\n".join(rest))]
    first, *others = [block for block in blocks if block.strip()] or [""]
    return Doc(_joined(first), tuple(map(_joined, others)), labels)


def _joined(block: str) -> str:
    """A paragraph in one line; what is indented or a list stays as it is."""
    kept = any(line.startswith((" ", "- ", "* ")) for line in block.splitlines())
    return block if kept else " ".join(block.split())


def read(target: str) -> Doc | None:
    """The parts of what the class `package.module.Class` says; None where it isn't found.

    It can be a package's, imported from one of its modules. A method that the class does not define
    itself is looked for in its bases.
    """
    module, _, name = target.rpartition(".")
    there = _tree(module)
    found = there and _base(there, name)
    if not found:
        return None
    tree, node = found
    doc = split(ast.get_docstring(node) or "")
    methods, arguments = _inherited(tree, node, depth=3)
    if not doc.summary and not doc.labels:
        doc = split(ast.get_docstring(tree) or "")
    return Doc(doc.summary, doc.text, doc.labels, methods, arguments)


def package(name: str) -> str:
    """The first line of what a package or module says; empty where there is none."""
    tree = _tree(name)
    return split(ast.get_docstring(tree) or "").summary if tree else ""


def cited(texts: list[str]) -> list[Cited]:
    """The sources that texts name, each once, those with a number of arXiv first.

    `Arjovsky et al. 2017, arXiv 1701.07875, equations 2 and 3` is one.
    """
    found: dict[str, Cited] = {}
    for text in texts:
        for match in _CITED.finditer(" ".join(text.split())):
            one = Cited(match["who"], match["place"] or "", match["arxiv"] or "")
            known = found.get(one.who)
            if known is None or (one.arxiv and not known.arxiv):
                found[one.who] = one
    return sorted(found.values(), key=lambda one: not one.arxiv)


_NAME = r"(?:(?:van|von|de|der|le) )*[A-Z][\w'’-]+"
_PART = "equation|section|algorithm|theorem|proposition|lemma|table|appendix|figure"
_CITED = re.compile(
    rf"(?P<who>{_NAME}(?:(?:, {_NAME})* and {_NAME}| et al\.)?,? \(?(?:19|20)\d\d[a-z]?\)?)"
    r"(?:,? \(?arXiv[: ]?(?P<arxiv>\d{4}\.\d{4,5}))?"
    rf"(?:, (?P<place>(?i:{_PART})s? (?:[A-Z]\.?)?\d*(?:\.\d+)*(?:(?:,| and| to) \d+(?:\.\d+)*)*))?"
)


def sentence(docstring: str) -> str:
    """The first sentence, without the shapes behind it."""
    text = " ".join(cleandoc(docstring).split("\n\n")[0].split())
    text = re.split(r",? *`\(N|(?<=[^.A-Z])\.(?= [A-Z])", text)[0]
    return text.strip().rstrip(".,;:")


def _inherited(
    tree: ast.Module, node: ast.ClassDef, depth: int
) -> tuple[dict[str, str], dict[str, str]]:
    """First sentences by method, and defaults by argument, of a class and its bases."""
    methods: dict[str, str] = {}
    arguments: dict[str, str] = {}
    for base in node.bases if depth else ():
        if found := _base(tree, ast.unparse(base)):
            more, others = _inherited(*found, depth - 1)
            methods |= more
            arguments |= others
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            methods[item.name] = sentence(ast.get_docstring(item) or "")
            if item.name == "__init__":
                arguments |= _defaults(item.args)
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            kind, value = ast.unparse(item.annotation), item.value
            default = ast.unparse(value) if value else ""
            if "ClassVar" not in kind and "init=False" not in default:
                arguments[item.target.id] = default
    return methods, arguments


def _defaults(args: ast.arguments) -> dict[str, str]:
    names = [arg.arg for arg in [*args.posonlyargs, *args.args]][1:]
    values = ["", *[""] * len(names), *map(ast.unparse, args.defaults)][-len(names) :]
    found = dict(zip(names, values, strict=True)) if names else {}
    for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        found[arg.arg] = ast.unparse(value) if value else ""
    return found


def _base(tree: ast.Module, name: str) -> tuple[ast.Module, ast.ClassDef] | None:
    """Where a base class is: in the same file, or in the one it is imported from."""
    if here := _class(tree, name):
        return tree, here
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                there = _tree(node.module or "")
                found = there and _class(there, alias.name)
                return (there, found) if there and found else None
    return None


def _class(tree: ast.Module, name: str) -> ast.ClassDef | None:
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return next((node for node in classes if node.name == name), None)


def _tree(module: str) -> ast.Module | None:
    path = find(module)
    try:
        return ast.parse(path.read_text("utf-8")) if path else None
    except (OSError, SyntaxError, ValueError):
        return None


def find(module: str) -> Path | None:
    """The file of a module, found as Python would find it, with nothing imported."""
    if not re.fullmatch(r"\w+(\.\w+)*", module):
        return None
    places: list[str] | None = [*sys.path, str(Path.cwd())]
    origin = None
    parts = module.split(".")
    for depth in range(len(parts)):
        if places is None:
            return None
        spec = PathFinder.find_spec(".".join(parts[: depth + 1]), places)
        if spec is None:
            return None
        origin, places = spec.origin, spec.submodule_search_locations
    return Path(origin) if origin and origin.endswith(".py") else None
