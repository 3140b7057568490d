"""`gan sample`: pictures from a checkpoint. Help is given without importing anything heavy."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.errors import UserMistake
from gan_cli.nearby import check_there, suggestion
from gan_cli.options import import_from_here
from gan_cli.sample_options import MODES, PLAIN, mode_of, parser
from gan_cli.strict import clean

if TYPE_CHECKING:
    from gan_cli.sampler import Sampler
    from gan_cli.wish import Wish

COLUMNS = 1000
"""Columns of a sweep, at most."""


def main(args: list[str]) -> int:
    """Run `gan sample` with these arguments. Raises GanError."""
    asked = parser().parse_args(args)
    if asked.ckpt is None:
        raise UserMistake(f"which generator? gan sample --ckpt {suggestion()}")
    mode = mode_of(asked)
    check_there(asked.ckpt)
    from torch import OutOfMemoryError

    from gan_cli.fast import pick_device

    import_from_here(*asked.trust)
    wish = _wish(asked, args)
    device = str(pick_device(asked.device))
    sampler = _sampler(asked, device)
    try:
        told = _SHOW[mode](asked, wish, sampler, device)
    except OutOfMemoryError as error:
        raise UserMistake(f"out of memory on {device}: a --batch below {wish.batch}") from error
    sys.stdout.write(f"{told}\n")
    return 0


def _wish(asked: argparse.Namespace, args: list[str]) -> Wish:
    from gan_cli.wish import Wish

    whole = getattr(asked, "from")
    ways = {
        "truncation": asked.truncation,
        "refine": asked.refine,
        "refine-steps": asked.refine_steps,
    }
    return Wish(
        ckpt=Path(asked.ckpt),
        out=Path(asked.out) if asked.out is not None else None,
        n=asked.n,
        grid=asked.grid,
        scale=asked.scale,
        seed=asked.seed,
        batch=asked.batch,
        force=asked.force,
        classes=asked.classes,
        given=Path(asked.input) if asked.input is not None else None,
        whole=Path(whole) if whole is not None else None,
        draws=asked.draws,
        shards=asked.shards,
        way=" ".join(f"{name}={value}" for name, value in ways.items() if value is not None),
        command=shlex.join(["gan", "sample", *args]),
    )


def _sampler(asked: argparse.Namespace, device: str) -> Sampler:
    """The generator, with its codes as they are wished for."""
    from gan_cli.sampler import Sampler

    trust = tuple(asked.trust)
    sampler = Sampler.load(asked.ckpt, device, asked.raw, trust)
    for reason in sampler.origin.rejected:
        sys.stderr.write(f"passed over: {reason}\n")
    sampler = _truncated(asked, sampler)
    if asked.refine is None:
        if asked.refine_steps is not None:
            raise UserMistake("--refine-steps are those of --refine langevin")
        return sampler
    from gan_cli.refine import named, refined

    way = named(asked.refine, asked.refine_steps)
    return refined(sampler, asked.ckpt, way, device, trust)


def _truncated(asked: argparse.Namespace, sampler: Sampler) -> Sampler:
    if asked.truncation is None:
        return sampler
    from gan_cli.truncation import truncated

    return truncated(sampler, asked.truncation)


def _plain(asked: argparse.Namespace, wish: Wish, sampler: Sampler, device: str) -> str:
    from gan_cli.draw import draw
    from gan_cli.reply import reply
    from gan_cli.sampler import Sampler

    trust = tuple(asked.trust)
    if sampler.space.given:
        if asked.shards or asked.truncation is not None:
            raise UserMistake(
                "--shards and --truncation are for generators that are given no image"
            )
        load = Sampler.load
        others = {str(path): load(path, device, asked.raw, trust) for path in asked.against}
        return reply(wish, sampler, others)
    if asked.against or wish.draws > 1:
        raise UserMistake("--against and --draws are for generators that make images from images")
    return draw(wish, sampler)


def _seeds(asked: argparse.Namespace, wish: Wish, sampler: Sampler, device: str) -> str:
    from gan_cli import tabled

    return tabled.seeds(wish, sampler, asked.seeds)


def _interpolation(asked: argparse.Namespace, wish: Wish, sampler: Sampler, device: str) -> str:
    from gan_cli import tabled

    spherical = _SPHERICAL[asked.path]
    return tabled.interpolation(wish, sampler, asked.interpolate, asked.steps, spherical)


def _walk(asked: argparse.Namespace, wish: Wish, sampler: Sampler, device: str) -> str:
    from gan_cli.walk import FPS, Walk, walk

    fps = asked.fps or FPS
    return walk(wish, sampler, Walk(asked.seeds, asked.frames, fps, _SPHERICAL[asked.path]))


def _truncations(asked: argparse.Namespace, wish: Wish, sampler: Sampler, device: str) -> str:
    from gan_cli import tabled

    return tabled.truncations(wish, sampler, asked.truncations)


def _ema(asked: argparse.Namespace, wish: Wish, sampler: Sampler, device: str) -> str:
    from gan_cli import tabled
    from gan_cli.sampler import Sampler

    if asked.raw:
        raise UserMistake("--raw means nothing to --ema, which shows both: leave it out")

    def raw() -> Sampler:
        try:
            found = Sampler.load(asked.ckpt, device, True, tuple(asked.trust))
        except UserMistake as error:  # what else there is to say was said when it was loaded
            raise UserMistake(
                "--ema: this file holds no raw weights beside the averaged"
            ) from error
        return _truncated(asked, found)

    return tabled.weights(wish, sampler, raw)


def _timelapse(asked: argparse.Namespace, wish: Wish, sampler: Sampler, device: str) -> str:
    from gan_cli.sampler import Sampler
    from gan_cli.timelapse import FPS, timelapse

    def load(path: Path) -> Sampler:
        return _truncated(asked, Sampler.load(path, device, asked.raw, tuple(asked.trust)))

    typed = (asked.n, asked.grid, asked.classes, asked.scale, asked.truncation, asked.raw or None)
    chosen = bool(asked.seed) or any(value is not None for value in typed)
    told, rejected = timelapse(wish, sampler, load, asked.fps or FPS, chosen)
    for reason in rejected:
        sys.stderr.write(f"passed over: {reason}\n")
    return told


def _sweep(asked: argparse.Namespace, wish: Wish, sampler: Sampler, device: str) -> str:
    """What one number of z does, as a picture: a row for each of its values."""
    from gan_cli.plot.grid import check_channels, grid, png
    from gan_cli.sweep import rows
    from gan_cli.wish import about, picture_place, put

    if len(sampler.space.shape) != 3 or sampler.space.given:
        raise UserMistake("--sweep is for generators that make images of codes alone")
    check_channels(sampler.space.shape[0])
    columns = wish.grid[1] if wish.grid else 10
    if columns > COLUMNS:
        raise UserMistake(f"--sweep: {columns} columns; at most {COLUMNS}")
    out = picture_place(wish, sampler, f"-sweep{asked.sweep}")
    picture = grid(rows(sampler, asked.sweep, columns, wish.seed), columns, wish.scale)
    put(out, png(picture, about(wish, sampler)))
    return f"{clean(out, 4096)}: code {asked.sweep} from row to row, {columns} columns"


def _neighbours(asked: argparse.Namespace, wish: Wish, sampler: Sampler, device: str) -> str:
    """The nearest training images of samples, as a picture; and whether they were learnt by heart.

    The words name the data set, as `gan train` takes them.
    """
    from gan_cli import build
    from gan_cli.cli_compose import Composer, Sources, plain
    from gan_cli.cli_diagnose import diagnose
    from gan_cli.dataset.halves import held_out
    from gan_cli.neighbours_report import draw
    from gan_cli.plot.grid import png
    from gan_cli.wish import about, named, picture_place, put

    if not all(re.match(r"dataset(\.\w+)?=", word) for word in asked.neighbours):
        raise UserMistake("--neighbours dataset=NAME [dataset.KEY=VALUE]: the data it learnt from")
    if sampler.space.given:
        raise UserMistake("--neighbours is for generators that are given no image")
    words = list(asked.neighbours)
    kind = named(",".join(word.removeprefix("dataset=") for word in words))
    out = picture_place(wish, sampler, f"-neighbours-{kind}")
    composer = Composer(Sources())
    diagnose(composer, words, multirun=False).complain()
    dataset = build.parts(plain(composer.compose(words))).dataset
    n = wish.n or 64
    samples = sampler.sample(n, wish.seed, wish.batch)
    picture, told = draw(samples, dataset.load(), held_out(dataset))
    put(out, png(picture, about(wish, sampler)))
    return f"{clean(out, 4096)}: {n} samples and their neighbours\n{told}"


_SPHERICAL = {None: None, "spherical": True, "linear": False}
_SHOW: dict[str, Callable[[argparse.Namespace, Wish, Sampler, str], str]] = {
    PLAIN: _plain,
    "seeds": _seeds,
    "interpolate": _interpolation,
    "walk": _walk,
    "truncations": _truncations,
    "ema": _ema,
    "timelapse": _timelapse,
    "sweep": _sweep,
    "neighbours": _neighbours,
}
assert _SHOW.keys() == MODES.keys()
