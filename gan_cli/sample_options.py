"""What can be typed after `gan sample`, and which mode knows which option; nothing heavy."""

from __future__ import annotations

import argparse
import re
from typing import NamedTuple

from gan_cli.errors import UserMistake
from gan_cli.options import Parser, add_device, add_trust, whole

SEEDS = 1000
"""Seeds that can be named at once."""

_OUT = (
    "FILE.png: one picture. FILE.npz: an array, of uint8 images (N, H, W, C) or of points. "
    "FILE.mp4, .webp, .gif: what moves. Any other name: a directory. (a file in the run's samples/)"
)
_CLASSES = "of which classes, by name or number: 3, 0-9 or cat,dog; a row of each"
_NEIGHBOURS = "beside each sample the images of this data set that are nearest to it"
_SWEEP = "a row for each value of the K-th code, from 0 on, all else alike along a column"
_FROM = "whole images, of which the inputs are made, and which are the truth beside the answers"
_PSI = "nearer to the average sample: psi of stylegan2, 0 to 1; else a bound on |z|, such as 1.5"


class Mode(NamedTuple):
    """A way to show samples: the option that asks for it, and the options that it heeds."""

    words: str
    """How it is told of."""

    knows: frozenset[str]
    """By their names in the parsed arguments; EVERYWHERE is known to all."""


def _mode(words: str, knows: str) -> Mode:
    return Mode(words, frozenset(knows.split()))


EVERYWHERE = frozenset("ckpt seed out raw device batch trust".split())
"""Options of every mode."""

PLAIN = "plain"
"""The mode that no option asks for."""

_DRAWN = "n grid classes scale truncation force shards refine refine_steps"
MODES = {
    PLAIN: _mode("samples alone", f"{_DRAWN} input from draws against"),
    "seeds": _mode("--seeds", "classes scale truncation"),
    "interpolate": _mode("--interpolate", "classes scale truncation steps path"),
    "walk": _mode("--walk", "seeds classes grid scale truncation frames fps path"),
    "truncations": _mode("--truncations", "n classes scale"),
    "ema": _mode("--ema", "n classes scale truncation"),
    "timelapse": _mode("--timelapse", "n grid classes scale truncation fps"),
    "sweep": _mode("--sweep", "grid scale truncation"),
    "neighbours": _mode("--neighbours", "n truncation refine refine_steps"),
}
"""Modes by the name of the option that asks for each."""


def parser() -> argparse.ArgumentParser:
    """The options of `gan sample`; what is impossible in itself is a UserMistake."""
    made = Parser(
        "gan sample",
        "Draw samples from a run, a checkpoint or a generator file.",
        "The same seed gives the same samples, and the first k of them for any -n.",
    )
    _of_all(made)
    _of_some(made.add_argument_group("what is drawn"))
    _of_modes(made.add_argument_group("ways to show it (one of them)"))
    return made


def _of_all(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    add("--ckpt", metavar="PATH", help="run directory, training checkpoint or generator file")
    add("--seed", type=whole(0), default=0, metavar="S", help="of the latent codes (0)")
    add("--out", metavar="PATH", help=_OUT)
    add("--raw", action="store_true", help="the weights themselves, not their average")
    add_device(made)
    add("--batch", type=whole(1), default=64, metavar="B", help="samples at a time (64)")
    add_trust(made)


def _of_some(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-n", type=whole(1), metavar="N", help="how many (64; 4096 points)")
    add("--grid", type=_grid, metavar="RxC", help="rows and columns of a grid, such as 8x8")
    add("--class", "--classes", dest="classes", metavar="NAMES", help=_CLASSES)
    add("--scale", type=whole(1), metavar="K", help="enlarge images K times (grids: to be seen)")
    add("--truncation", type=_bound, metavar="PSI", help=_PSI)
    ways = ["rejection", "exact", "langevin"]
    add("--refine", choices=ways, help="let D have a say in what is kept, or walk to what it likes")
    add("--refine-steps", type=whole(1), metavar="K", help="of Langevin's dynamics (100)")
    add("--shards", type=whole(1), metavar="SIZE", help="--out DIR: tar files of SIZE images each")
    add("--force", action="store_true", help="write into a directory that holds files already")
    add("--input", metavar="PATH", help="an image, or a directory, to be answered")
    add("--from", metavar="PATH", help=_FROM)
    add("--draws", type=whole(1), default=1, metavar="K", help="answers to each input (1)")
    add("--against", action="append", default=[], metavar="CKPT", help="another's answers beside")


def _of_modes(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    between = "a row of steps from each seed's first sample to the next one's: 1,5,9 or 1-8"
    add("--interpolate", type=_seeds, metavar="SEEDS", help=between)
    add("--steps", type=whole(2), default=9, metavar="K", help="columns of --interpolate (9)")
    path = "linear or spherical, between codes (as suits the prior)"
    add("--path", choices=["linear", "spherical"], help=path)
    add("--walk", action="store_true", help="a film that ends where it began, through the seeds")
    add("--seeds", type=_seeds, metavar="SEEDS", help="of --walk; by itself, a picture to choose")
    add("--frames", type=whole(2), default=120, metavar="K", help="of --walk (120)")
    add("--fps", type=whole(1), metavar="K", help="frames a second (24; --timelapse: 6)")
    add("--truncations", type=_bounds, metavar="PSI,…", help="a row for each: 1,0.7,0.5,0")
    add("--ema", action="store_true", help="the averaged weights above the raw ones")
    add("--timelapse", action="store_true", help="the same noise at every checkpoint of a run")
    add("--sweep", type=whole(0), metavar="K", help=_SWEEP)
    add("--neighbours", nargs="+", metavar="dataset=NAME", help=_NEIGHBOURS)


def mode_of(asked: argparse.Namespace) -> str:
    """The mode that is asked for, once all that was typed has a meaning in it; UserMistake."""
    default = parser().get_default
    typed = {name for name, value in vars(asked).items() if value != default(name)}
    chosen = [name for name in MODES if name in typed]
    if chosen == ["seeds", "walk"]:
        chosen = ["walk"]
    if len(chosen) > 1:
        raise UserMistake(f"{' and '.join(flag(name) for name in chosen)}: one at a time")
    mode = chosen[0] if chosen else PLAIN
    known = MODES[mode].knows | EVERYWHERE | {mode}
    for name in sorted(typed - known):
        raise UserMistake(f"{flag(name)} means nothing to {MODES[mode].words}: {_instead(name)}")
    return mode


def flag(name: str) -> str:
    """How an option is typed."""
    return {"n": "-n", "classes": "--class"}.get(name, f"--{name.replace('_', '-')}")


def _instead(name: str) -> str:
    """What an option can be typed with."""
    friends = [mode.words for mode in MODES.values() if name in mode.knows]
    return f"leave it out (it is for {', '.join(friends)})"


def _bound(text: str) -> float:
    if not re.fullmatch(r"\d(\.\d{0,9})?|\.\d{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 10, such as 0.7")
    return float(text)


def _bounds(text: str) -> list[float]:
    return [_bound(part.strip()) for part in text.split(",")]


def _seeds(text: str) -> list[int]:
    """Seeds, and ranges of them: 1,5,9 or 1-8."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,18})(?:-(\d{1,18}))?\s*", part, re.ASCII)
        if not match:
            raise argparse.ArgumentTypeError(f"{text!r} is no list of seeds, such as 1,5,9 or 1-8")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 <= last - first < SEEDS - len(found):
            raise argparse.ArgumentTypeError(f"{text!r}: from low to high, {SEEDS} seeds at most")
        found += range(first, last + 1)
    return found


def _grid(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no ROWSxCOLUMNS, such as 4x8")
    return int(match[1]), int(match[2])
