"""`gan sample`: pictures from a checkpoint. Help is given without importing anything heavy."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gan_cli.errors import UserMistake
from gan_cli.strict import clean

if TYPE_CHECKING:
    from gan_cli.sampler import Sampler
    from gan_cli.wish import Wish

COLUMNS = 1000
"""Columns of a sweep, at most."""

_OUT = (
    "FILE.png: one picture. FILE.npz: an array, of uint8 images (N, H, W, C) or of points. "
    "Any other name: a directory of single images. (a picture in the run's samples/)"
)

_CLASSES = "of which classes, by name or number: 3, 0-9 or cat,dog; a row of each"

_NEIGHBOURS = "beside each sample the images of this data set that are nearest to it"

_SWEEP = "a row for each value of the K-th code, from 0 on, all else alike along a column"

_FROM = "whole images, of which the inputs are made, and which are the truth beside the answers"


def main(args: list[str]) -> int:
    """Run `gan sample` with these arguments. Raises GanError."""
    asked = _parser().parse_args(args)
    if asked.ckpt is None:
        raise UserMistake(f"which generator? gan sample --ckpt {_suggestion()}")
    from torch import OutOfMemoryError

    from gan_cli.fast import pick_device
    from gan_cli.sampler import Sampler
    from gan_cli.wish import Wish

    wish = Wish(
        ckpt=Path(asked.ckpt),
        out=asked.out,
        n=asked.n,
        grid=asked.grid,
        scale=asked.scale,
        seed=asked.seed,
        batch=asked.batch,
        force=asked.force,
        classes=asked.classes,
        given=asked.input,
        whole=getattr(asked, "from"),
        draws=asked.draws,
        command=shlex.join(["gan", "sample", *args]),
    )
    if asked.trust and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # a user's own package; last, so that it hides nothing
    device = pick_device(asked.device)
    sampler = Sampler.load(asked.ckpt, device, asked.raw, tuple(asked.trust))
    for reason in sampler.origin.rejected:
        sys.stderr.write(f"passed over: {reason}\n")
    if asked.truncation is not None:
        sampler.truncate(asked.truncation)
    trust = tuple(asked.trust)
    others = {str(path): Sampler.load(path, device, asked.raw, trust) for path in asked.against}
    try:
        told = _drawn(asked, wish, sampler, others)
    except OutOfMemoryError as error:
        raise UserMistake(f"out of memory on {device}: a --batch below {wish.batch}") from error
    sys.stdout.write(f"{told}\n")
    return 0


def _drawn(
    asked: argparse.Namespace, wish: Wish, sampler: Sampler, others: dict[str, Sampler]
) -> str:
    """Write what is asked for, and say what it is."""
    from gan_cli.draw import draw
    from gan_cli.reply import reply

    if asked.sweep is not None:
        return _sweep(wish, sampler, asked.sweep)
    if asked.neighbours:
        return _neighbours(wish, sampler, asked.neighbours)
    if sampler.space.given:
        return reply(wish, sampler, others)
    if others or wish.draws > 1:
        raise UserMistake("--against and --draws are for generators that make images from images")
    return draw(wish, sampler)


def _sweep(wish: Wish, sampler: Sampler, code: int) -> str:
    """What one number of z does, as a picture: a row for each of its values."""
    from gan_cli.plot.grid import check_channels, grid, png
    from gan_cli.sweep import rows
    from gan_cli.wish import about, place, put

    if len(sampler.space.shape) != 3 or sampler.space.given:
        raise UserMistake("--sweep is for generators that make images of codes alone")
    check_channels(sampler.space.shape[0])
    columns = wish.grid[1] if wish.grid else 10
    if columns > COLUMNS:
        raise UserMistake(f"--sweep: {columns} columns; at most {COLUMNS}")
    out = _picture_of(place(wish, sampler, ".png", f"-sweep{code}"))
    picture = grid(rows(sampler, code, columns, wish.seed), columns, wish.scale)
    put(out, png(picture, about(wish, sampler)))
    return f"{clean(out, 4096)}: code {code} from row to row, {columns} columns"


def _neighbours(wish: Wish, sampler: Sampler, words: list[str]) -> str:
    """The nearest training images of samples, as a picture; and whether they were learnt by heart.

    `words` name the data set, as `gan train` takes them.
    """
    from gan_cli import build
    from gan_cli.dataset.halves import held_out
    from gan_cli.neighbours_report import draw
    from gan_cli.plot.grid import png
    from gan_cli.wish import about, place, put

    if not all(re.match(r"dataset(\.\w+)?=", word) for word in words):
        raise UserMistake("--neighbours dataset=NAME [dataset.KEY=VALUE]: the data it learnt from")
    if sampler.space.given:
        raise UserMistake("--neighbours is for generators that are given no image")
    out = _picture_of(place(wish, sampler, ".png", "-neighbours"))
    dataset = build.parts(build.compose(*words)).dataset
    n = wish.n or 64
    samples = sampler.sample(n, wish.seed, wish.batch)
    picture, told = draw(samples, dataset.load(), held_out(dataset))
    put(out, png(picture, about(wish, sampler)))
    return f"{clean(out, 4096)}: {n} samples and their neighbours\n{told}"


def _picture_of(out: Path) -> Path:
    """The place, if it is a picture's; else UserMistake."""
    if out.suffix.lower() != ".png" or out.is_dir():
        raise UserMistake(f"--out {clean(out)}: this is one picture: --out FILE.png")
    return out


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are a UserMistake."""

    def error(self, message: str) -> NoReturn:
        raise UserMistake(f"gan sample: {message}; gan sample --help lists what there is")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gan sample",
        description="Draw samples from a run, a checkpoint or a generator file.",
        epilog="The same seed gives the same samples, and the first k of them for any -n.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--ckpt", metavar="PATH", help="run directory, training checkpoint or generator file")
    add("-n", type=_whole(1), metavar="N", help="how many (64; 4096 points)")
    add("--grid", type=_grid, metavar="RxC", help="rows and columns of a grid, such as 8x8")
    add("--class", "--classes", dest="classes", metavar="NAMES", help=_CLASSES)
    add("--input", type=Path, metavar="PATH", help="an image, or a directory, to be answered")
    add("--from", type=Path, metavar="PATH", help=_FROM)
    add("--draws", type=_whole(1), default=1, metavar="K", help="answers to each input (1)")
    add("--against", action="append", default=[], metavar="CKPT", help="another's answers beside")
    add("--sweep", type=_whole(0), metavar="K", help=_SWEEP)
    add("--neighbours", nargs="+", metavar="dataset=NAME", help=_NEIGHBOURS)
    add("--truncation", type=_share, metavar="PSI", help="0 to 1: nearer to the average sample")
    add("--seed", type=_whole(0), default=0, metavar="S", help="of the latent codes (0)")
    add("--out", type=Path, metavar="PATH", help=_OUT)
    add("--scale", type=_whole(1), metavar="K", help="enlarge images K times (grids: to be seen)")
    add("--raw", action="store_true", help="the weights themselves, not their average")
    add("--device", type=_device, default="auto", help="auto, cpu, cuda, cuda:N or mps (auto)")
    add("--batch", type=_whole(1), default=64, metavar="B", help="samples at a time (64)")
    add("--force", action="store_true", help="write into a directory that holds files already")
    add(
        "--trust",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="import the model from this package of yours, if the file names it",
    )
    return parser


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,18}", text, re.ASCII) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
        return int(text)

    return parse


def _share(text: str) -> float:
    if not re.fullmatch(r"[01](\.\d{1,9})?|\.\d{1,9}", text, re.ASCII) or float(text) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return float(text)


def _grid(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no ROWSxCOLUMNS, such as 4x8")
    return int(match[1]), int(match[2])


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no device: auto, cpu, cuda, cuda:N or mps")
    return text


def _suggestion() -> str:
    """The run that was written to last, or a placeholder."""
    depths = ("*/checkpoints", "*/*/checkpoints")
    kept = [path for depth in depths for path in Path("outputs").glob(depth)]
    if not kept:
        return "outputs/RUN"
    return shlex.quote(str(max(kept, key=lambda path: path.stat().st_mtime).parent))
