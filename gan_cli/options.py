"""What the verbs of the command line share: their parser, and the options that several have."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from gan_cli import written
from gan_cli.errors import UserMistake


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are a UserMistake, and whose options are typed in full."""

    def __init__(self, prog: str, description: str, epilog: str | None = None, as_is: bool = False):
        """`as_is`: the lines of the epilog are not to be broken anew."""
        kind = argparse.RawDescriptionHelpFormatter if as_is else argparse.HelpFormatter
        super().__init__(prog, None, description, epilog, formatter_class=kind, allow_abbrev=False)
        self._negative_number_matcher = re.compile(r"-\.?\d")  # values, also in lists: -1,2

    def error(self, message: str) -> NoReturn:
        """Raise UserMistake with the message, and where help is."""
        raise UserMistake(f"{self.prog}: {message}; {self.prog} --help lists what there is")

    def asked(self, words: list[str], of_nothing: bool = False) -> argparse.Namespace | None:
        """What is asked for; None where that was help, which is shown then.

        `of_nothing`: a command without a word asks for help too. Raises UserMistake.
        """
        if words[:1] in (["--help"], ["-h"]) or (of_nothing and not words):
            written.show(self.format_help())
            return None
        return self.parse_intermixed_args(words)


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """What reads a whole number between these, of 18 digits at most."""

    def parse(text: str) -> int:
        known = re.fullmatch(r"\d{1,18}", text, re.ASCII)
        if not known or int(text) < least or (most is not None and int(text) > most):
            end = "on" if most is None else f"to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} {end}")
        return int(text)

    return parse


def device(text: str) -> str:
    """The name of a device; whether it is there is not asked."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no device: auto, cpu, cuda, cuda:N or mps")
    return text


def add_device(parser: argparse.ArgumentParser) -> None:
    """--device, on which G is run."""
    words = "auto, cpu, cuda, cuda:N or mps (auto)"
    parser.add_argument("--device", type=device, default="auto", help=words)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """--trust, which packages of the user's a file may name; a list."""
    words = "import the model from this package of yours, if the file names it"
    parser.add_argument("--trust", action="append", default=[], metavar="PACKAGE", help=words)


def add_config_dir(parser: argparse.ArgumentParser) -> None:
    """--config-dir, with entries of the user's own."""
    words = "a directory with entries of your own"
    parser.add_argument("--config-dir", "-cd", metavar="CONF", help=words)


def classes(words: Iterable[str]) -> list[str]:
    """The words that name a class, as `loss._target_=mypackage.MyLoss`, or a place of more."""
    return [word for word in words if "_target_" in word or word.startswith("hydra.searchpath=")]


def import_from_here(*named: str | None) -> None:
    """Let packages and modules in the working directory be imported, if anything is named.

    `named` is what the user typed that may need them: a directory of configurations, a package to
    trust, a word with `_target_`. Without it the directory, which may have come from somebody else,
    is not where modules that a library tries to import are found.
    """
    if any(named) and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last, so that it hides nothing
