"""The source of the project as data: each module's path, syntax tree, imports and calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tests.conftest import CONF, ROOT


@dataclass(frozen=True)
class Module:
    """A file of Python: its path from the root of the repository, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        """`gan_cli.loss.hinge`; a package goes by its own name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def part(self) -> str:
        """The piece of gan_cli it belongs to."""
        return piece(self.name)

    def imports(self) -> Iterator[tuple[int, str]]:
        """What it imports, at its top or later: (line, `gan_cli.loss.hinge.Hinge`)."""
        for node in ast.walk(self.tree):
            for target in imported(node):
                yield node.lineno, target

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """What it calls: (the call, `torch.compile`)."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node, ast.unparse(node.func)

    def public(self) -> Iterator[ast.ClassDef | ast.FunctionDef]:
        """Its public classes and functions."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                yield node


def piece(name: str) -> str:
    """The piece of gan_cli a dotted name belongs to: `loss` for gan_cli.loss.hinge.Hinge.

    gan_cli.cli and all gan_cli.cli_… are one piece; gan_cli itself, and foreign names, are none.
    """
    package, _, rest = f"{name}.".partition(".")
    first = rest.partition(".")[0] if package == "gan_cli" else ""
    return "cli" if first.startswith("cli_") else first


def imported(node: ast.AST) -> list[str]:
    """The dotted names that an import statement imports; of another node, none."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def read(*folders: str) -> list[Module]:
    """Every module under these folders of the repository."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Module(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths]


def classes_in_conf() -> set[str]:
    """The classes of gan_cli that entries of conf/ name: `_target_: gan_cli.loss.hinge.Hinge`."""
    target = re.compile(r"_target_: *['\"]?(gan_cli[\w.]*\.\w+)")
    texts = (path.read_text("utf-8") for path in CONF.rglob("*.yaml"))
    return {name for text in texts for name in target.findall(text)}


def named_in_conf() -> set[str]:
    """The modules of gan_cli in which those classes are."""
    return {name.rpartition(".")[0] for name in classes_in_conf()}
