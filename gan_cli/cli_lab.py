"""`gan lab`: the experiments of the laboratory. Nothing heavy is imported to list them."""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gan_cli.errors import UserMistake
from gan_cli.options import Parser, whole

if TYPE_CHECKING:
    from gan_cli.lab import Experiment

ALL = "all"
"""The name that stands for every experiment."""


def main(args: list[str]) -> int:
    """Run `gan lab` with these arguments; 1 if a claim does not hold. Raises GanError."""
    known = experiments()
    asked = _parser(known).parse_args(args)
    if asked.name is None:
        sys.stdout.write(_listing(known))
        return 0
    names = list(known) if asked.name.casefold() == ALL else [_named(asked.name, known)]
    failed = [name for name in names if not _run(name, asked, several=len(names) > 1)]
    if failed and len(names) > 1:
        sys.stdout.write(f"\nclaims that do not hold: {', '.join(failed)}\n")
    return 1 if failed else 0


def experiments() -> dict[str, str]:
    """The experiments by name, each with its question: the first line of its module."""
    found: dict[str, str] = {}
    for path in sorted((Path(__file__).parent / "lab").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            question = (ast.get_docstring(tree) or "").partition("\n")[0]
            found[path.stem.replace("_", "-")] = question
    return found


def _reserve(directory: Path, name: str) -> None:
    """Make the directory, before anything is trained for it.

    Raises UserMistake where it can't be, or where it has another experiment's results.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / ".lab").write_text("", "utf-8")
        (directory / ".lab").unlink()
    except OSError as error:
        raise UserMistake(f"{directory}: {error.strerror}; another place: --out DIR") from error
    try:
        told = json.loads((directory / "results.json").read_text("utf-8"))
        before = str(told["command"]).split()[2]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return
    if before != name:
        raise UserMistake(
            f"{directory} has the results of gan lab {before}: another place: --out DIR"
        )


def load(name: str) -> Experiment:
    """The experiment of that name."""
    return cast("Experiment", importlib.import_module(f"gan_cli.lab.{name.replace('-', '_')}"))


def _run(name: str, asked: argparse.Namespace, several: bool) -> bool:
    """Run one experiment, write it down and tell it; whether its claims hold."""
    from gan_cli import __version__
    from gan_cli.console import Console
    from gan_cli.fast import Hardware
    from gan_cli.lab import report as files
    from gan_cli.lab.terminal import tell

    Hardware("cpu", "float32", threads=1).claim()
    console = Console.make()
    begun = time.monotonic()
    words = [
        "gan lab",
        name,
        *["--quick"] * asked.quick,
        *[f"--seed {asked.seed}"] * bool(asked.seed),
    ]
    command = " ".join(words)
    console.say(command)
    out = asked.out or Path("outputs/lab")
    directory = out / name if several or asked.out is None else out
    _reserve(directory, name)
    report = load(name).run(asked.quick, asked.seed, lambda text: console.say(f"  {text}"))
    files.save(report, directory, {"command": command, "gan": __version__})
    tell(report)
    count = sum(claim.holds for claim in report.claims)
    console.say(
        f"{count} of {len(report.claims)} claims hold; "
        f"{directory}/ has the tables, the numbers and the pictures "
        f"({time.monotonic() - begun:.0f} s)"
    )
    return report.holds


def _named(name: str, known: dict[str, str]) -> str:
    wanted = name.casefold().replace("_", "-")
    if wanted in known:
        return wanted
    near = difflib.get_close_matches(wanted, [*known, ALL], n=1, cutoff=0.5)
    hint = f"did you mean `gan lab {near[0]}`?" if near else "`gan lab` lists them"
    raise UserMistake(f"the laboratory has no {name}; {hint}")


def _listing(known: dict[str, str]) -> str:
    width = max(map(len, [*known, ALL]))
    lines = [f"  {name:{width}}  {question}" for name, question in known.items()]
    return "\n".join(
        [
            "Experiments of the laboratory",
            *lines,
            f"  {ALL:{width}}  all of them, one after the other",
            "",
            "gan lab NAME --quick takes a minute at most; without --quick it is done thoroughly.",
            "Tables, numbers and pictures go to outputs/lab/NAME, or --out DIR.\n",
        ]
    )


def _parser(known: dict[str, str]) -> argparse.ArgumentParser:
    parser = Parser(
        "gan lab",
        "Short experiments that show why: a table, a picture and a verdict each.",
        "Exit code 0: every claim holds; 1: one does not. The same command gives the same "
        "numbers on one machine.",
    )
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help=f"{', '.join(known)}, or {ALL}; none: list them")
    add("--quick", action="store_true", help="a minute at most, on one CPU core")
    add("--out", type=Path, metavar="DIR", help="where to write (outputs/lab/NAME)")
    add("--seed", type=whole(0), default=0, metavar="N", help="of all that is random (0)")
    return parser
