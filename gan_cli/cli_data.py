"""`gan data`: what is in a data set, and how D sees it. Help is given without heavy imports."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.errors import UserMistake
from gan_cli.options import Parser, add_config_dir, classes, import_from_here, whole
from gan_cli.strict import clean

if TYPE_CHECKING:
    from gan_cli.build import Parts


@dataclass
class Asked:
    """Which data: a directory, or a choice of conf/dataset; and every setting as it was typed."""

    directory: str | None = None
    overrides: list[str] = field(default_factory=list)


def main(args: list[str]) -> int:
    """Run `gan data` with these arguments; 4 if images stand in the way. Raises GanError."""
    what, *rest = args or ["--help"]
    if what in ("--help", "-h"):
        sys.stdout.write(_HELP)
        return 0
    if what not in VERBS:
        raise UserMistake(f"gan data {what}: there is gan data check, and gan data preview")
    return VERBS[what](rest)


def check(args: list[str]) -> int:
    """`gan data check`: what is there, what is broken, what becomes of it."""
    parser = _parser("check", "What is in a data set, what is broken, and what becomes of it.")
    given = parser.parse_intermixed_args(args)
    asked = read(given.words)
    made = parts(asked, given.config_dir)

    from gan_cli.cli_data_check import tell

    return tell(made.dataset, asked)


def preview(args: list[str]) -> int:
    """`gan data preview`: the pictures of a batch, as D sees them."""
    parser = _parser("preview", "Pictures as D sees them: cropped, resized, mirrored, augmented.")
    add = parser.add_argument
    add("--out", type=Path, metavar="FILE.png", help="where to (outputs/data/NAME.png)")
    add("-n", type=whole(1, 99999), metavar="N", help="how many (64; 4096 points)")
    ones = "which ones, and of what is random (0)"
    add("--seed", type=whole(0), default=0, metavar="S", help=ones)
    given = parser.parse_intermixed_args(args)
    if given.out and given.out.suffix.lower() != ".png":
        raise UserMistake(f"--out {given.out}: a name that ends in .png")
    asked = read(given.words)
    made = parts(asked, given.config_dir)

    from gan_cli.cli_data_preview import draw

    sys.stdout.write(f"{draw(made, asked, given.out, given.n, given.seed)}\n")
    return 0


VERBS: dict[str, Callable[[list[str]], int]] = {"check": check, "preview": preview}


def read(words: list[str]) -> Asked:
    """What the words name; UserMistake where they name no data, or two."""
    asked = Asked()
    for word in words:
        named = word.startswith(("dataset=", "dataset.path="))
        if "=" in word and (named or not is_directory(word)):
            asked.overrides.append(word)
        elif asked.directory is not None:
            raise UserMistake(f"one directory at a time: {asked.directory}, or {word}")
        elif not is_directory(word):
            raise UserMistake(_no_directory(word))
        else:
            asked.directory = word
    chosen = any(text.startswith(("dataset=", "dataset.path=")) for text in asked.overrides)
    if asked.directory is not None and chosen:
        raise UserMistake(f"one data set at a time: {clean(asked.directory)} is dataset=folder")
    if asked.directory is None and not chosen:
        raise UserMistake("which data? gan data check DIRECTORY, or dataset=NAME")
    return asked


MOVING = frozenset(".gif .webp .avi .m4v .mkv .mov .mp4 .mpeg .mpg .webm".split())
"""Files of moving pictures, by their names."""


def _no_directory(word: str) -> str:
    """What a word is that is no directory, and what to type instead."""
    try:
        is_file = Path(word).is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL
        is_file = False
    if not is_file:
        return f"{clean(word)}: there is no such directory; or type dataset=NAME"
    if Path(word).suffix.lower() in MOVING:
        return f"{clean(word)} is a file; type dataset=frames dataset.path={clean(quoted(word))}"
    return f"{clean(word)} is a file; type its directory, {clean(Path(word).parent)}"


def is_directory(word: str) -> bool:
    """Whether it names a directory that is there."""
    try:
        return Path(word).is_dir()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False


def parts(asked: Asked, config_dir: str | None) -> Parts:
    """The components that `gan train` would have; UserMistake with every problem.

    A bare KEY=VALUE that is neither a group nor a key of the root is dataset.KEY=VALUE.
    """
    from gan_cli.cli_compose import Composer, Sources, plain
    from gan_cli.cli_diagnose import diagnose
    from gan_cli.cli_keys import KEYS

    composer = Composer(Sources(config_dir))
    import_from_here(config_dir, *classes(asked.overrides))
    known = {*composer.groups, *KEYS}
    for index, text in enumerate(asked.overrides):
        key = text.partition("=")[0]
        if key.isidentifier() and key not in known:
            asked.overrides[index] = f"dataset.{text}"
    if asked.directory is not None:
        asked.overrides[:0] = ["dataset=folder", f"dataset.path={quoted(asked.directory)}"]
    diagnose(composer, asked.overrides, multirun=False).complain()

    from gan_cli import build  # imports torch

    return build.parts(plain(composer.compose(asked.overrides)))


def quoted(path: str) -> str:
    """A path as one value in Hydra's grammar, in double quotes where these will do."""
    from gan_cli.cli_compose import quote

    typed = quote(path)
    if typed != path and not re.search(r'["\\]', path):
        return f'"{path}"'
    return typed


def _parser(verb: str, description: str) -> argparse.ArgumentParser:
    parser = Parser(
        f"gan data {verb}",
        description,
        f"gan data {verb} photos\ngan data {verb} photos size=128 mirror=true\n"
        f"gan data {verb} dataset=mnist",
        as_is=True,
    )
    words = "a directory of images or dataset=NAME, and settings: KEY=VALUE is dataset.KEY=VALUE"
    parser.add_argument("words", nargs="*", metavar="DIR | KEY=VALUE", help=words)
    add_config_dir(parser)
    return parser


_HELP = """usage: gan data check   DIR | dataset=NAME [KEY=VALUE …]
       gan data preview DIR | dataset=NAME [KEY=VALUE …] [--out FILE.png] [-n N] [--seed S]

What is in a data set, and how D sees it.

  check    number, sizes, channels, classes, copies; what is broken, file by file; what the
           settings of dataset=folder do with it; and the command that trains on it.
           Exit code 0: it can be trained on, 4: broken files stand in the way
  preview  a picture of what D sees: decoded, cropped, resized, mirrored, augmented (augment=…),
           and of pairs (task=…) both sides

  gan data check photos                     gan data preview photos size=128 mirror=true
  gan data check dataset=mnist              gan data preview photos augment=diffaugment
"""
