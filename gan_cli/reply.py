"""Answers to a user's own images, as files: side by side in a picture, an array, or one by one."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from gan_cli import answers, randomness
from gan_cli.batch import Batch
from gan_cli.dataset.decode import FAULTS, Decode, reason
from gan_cli.dataset.listing import Listing, is_directory
from gan_cli.dataset.survey import lines, quiet
from gan_cli.errors import BadFile, UserMistake
from gan_cli.plot import grid
from gan_cli.sampler import Sampler
from gan_cli.space import Shape
from gan_cli.strict import clean
from gan_cli.task import answered
from gan_cli.wish import MAX_BYTES, Wish, about, place, put

MOST = 10_000
"""Images answered at once, at most."""

WIDE = 1.5
"""Pictures that are so much wider than high are several side by side."""

PICTURED = 16
"""Images in a picture, at most."""


@dataclass(frozen=True)
class Asked:
    """What is answered: images and their names, and the truth where it is known."""

    c: Tensor
    names: list[str]
    truth: Tensor | None


def reply(wish: Wish, sampler: Sampler, others: dict[str, Sampler]) -> str:
    """Write the answers that are wished for, and return lines about them.

    A name that ends in .png is a picture of the first of them, side by side with what was given,
    the answers of others and the truth where it is known; .npz an array, and anything else a
    directory of single images of the same names. Raises UserMistake before anything is written
    when the wish can't be granted, BadFile for an image that can't be read, and DiskFailure.
    """
    _check(wish, sampler, others)
    asked = _read(wish, sampler)
    out = place(wish, sampler, ".png", "-answers")
    writers: dict[str, _Writer] = {".png": _picture, ".npz": _array}
    shown = writers.get(out.suffix.lower(), _directory)(wish, sampler, others, asked, out)
    told = f"{clean(out, 4096)}: {shown} (step {sampler.step}, {sampler.origin.weights} weights)"
    if asked.truth is None:
        return told
    pairs = Batch(asked.truth, asked.c)
    figures = answers.figures(sampler, pairs, wish.seed)
    for name, other in _short(others).items():
        figures[name] = answers.figures(other, pairs, wish.seed)["G"]
    return f"{told}\n{answers.table(figures)}"


_Writer = Callable[[Wish, Sampler, dict[str, Sampler], Asked, Path], str]


def _check(wish: Wish, sampler: Sampler, others: dict[str, Sampler]) -> None:
    if wish.given and wish.whole:
        raise UserMistake("--input and --from ask for two things: give one of them")
    if not wish.given and not wish.whole:
        raise UserMistake(
            "this generator makes images from images: --input PATH (images to be answered), or "
            "--from PATH (whole images, of which the inputs are made)"
        )
    if wish.whole and sampler.space.shape[0] < sampler.data[0]:
        raise UserMistake(
            "--from takes single images, and this generator continues frames: --input PATH, of "
            "pictures that hold the frames before side by side"
        )
    if wish.classes or wish.grid or wish.n:
        raise UserMistake("--class, --grid and -n are for generators that are given no image")
    for name, other in others.items():
        if (other.space, other.task) != (sampler.space, sampler.task):
            raise UserMistake(f"--against {clean(name)}: it was trained for another task than this")


def _read(wish: Wish, sampler: Sampler) -> Asked:
    """The user's images as the task wants them."""
    task, given = sampler.task, sampler.space.given
    assert task is not None
    assert given is not None
    path = wish.given or wish.whole or Path()
    paths, names = [path], [path.stem]
    if is_directory(path):
        listing = Listing.scan(path, "--input" if wish.given else "--from")
        paths, names = listing.paths, _apart(listing.names)
    if len(paths) > MOST:
        raise UserMistake(f"{clean(path)}: {len(paths)} images; at most {MOST} at once")
    if len(paths) * wish.draws * math.prod(sampler.space.shape) * 4 > MAX_BYTES:
        raise UserMistake(f"{wish.draws} answers to each of {len(paths)} images are over 16 GiB")
    if wish.whole:
        x = decoded(paths, sampler.data)
        pair = task.pair(x, randomness.generator("pair", wish.seed))
        assert pair.c is not None
        return Asked(pair.c, names, pair.x if answered(task) else None)
    seen = task.seen(torch.zeros(1, *given)).shape[1:]
    return Asked(task.read(decoded(paths, seen)), names, None)


def _short(others: dict[str, Sampler]) -> dict[str, Sampler]:
    """Other generators under the last part of their path, and numbered where that is not enough."""
    found: dict[str, Sampler] = {}
    for number, (path, other) in enumerate(others.items(), 2):
        name = clean(Path(path).resolve().name)[:24]
        found[name if name not in {"G", "by rule", *found} else f"{name} {number}"] = other
    return found


def _apart(names: Sequence[str]) -> list[str]:
    """Names without their endings, but for those that would then be the same."""
    bare = [str(Path(name).with_suffix("")) for name in names]
    counts = Counter(bare)
    return [short if counts[short] == 1 else n for short, n in zip(bare, names, strict=True)]


def _check_sides(path: Path, shape: Shape) -> None:
    """Raise UserMistake unless it is several pictures side by side, where such are wanted."""
    _, height, width = Decode(None, shape[0], "none", "white", 1)(path)[0].shape
    if width / height < shape[2] / shape[1] / 1.3:
        raise UserMistake(
            f"{clean(path)} has {width}×{height} pixels, and pictures side by side are wanted: "
            f"{shape[2]}×{shape[1]}, or as wide for their height"
        )


def decoded(paths: list[Path], shape: Shape) -> Tensor:
    """Images of that shape, in [-1, 1]; BadFile with all those that can't be read."""
    decode = Decode((shape[1], shape[2]), shape[0], "center", "white", 1)
    found, bad = [], dict[str, str]()
    for path in paths:
        try:
            with quiet():
                if shape[2] >= WIDE * shape[1]:
                    _check_sides(path, shape)
                found.append(torch.from_numpy(decode(path)[0].copy()))
        except FAULTS as error:
            bad[str(path)] = reason(error, path)
    if bad:
        raise BadFile(_unread(bad, len(paths)))
    return torch.stack(found).float().div(127.5).sub(1)


def _unread(bad: dict[str, str], count: int) -> str:
    """Which images can't be read, why, and what to do; one in one line."""
    if len(bad) == 1:
        [(name, why)] = bad.items()
        fix = "leave it out" if count > 1 else "give another"
        return f"{clean(name, 1000)}: {why}; {fix}, or repair it"
    told = f"{len(bad)} of {count} images can't be read:{lines(bad)}"
    return f"{told}\nLeave them out, or repair them"


def _picture(
    wish: Wish, sampler: Sampler, others: dict[str, Sampler], asked: Asked, out: Path
) -> str:
    c, x = asked.c[:PICTURED], None if asked.truth is None else asked.truth[:PICTURED]
    drawn = answers.picture(sampler, c, wish.seed, x, _short(others), wish.draws)
    put(out, grid.png(grid.enlarge(drawn, wish.scale or 1), about(wish, sampler)))
    more = "" if len(c) == len(asked.c) else "; all of them: --out DIRECTORY"
    return f"answers to {len(c)} of {len(asked.c)} images{more}"


def _array(
    wish: Wish, sampler: Sampler, others: dict[str, Sampler], asked: Asked, out: Path
) -> str:
    drawn = answers.answers(sampler, asked.c, wish.seed, wish.draws)
    arrays: dict[str, Any] = {"answers": np.stack([grid.pixels(x) for x in drawn], 1)}
    if asked.truth is not None:
        arrays["truth"] = grid.pixels(asked.truth)
    arrays |= {"names": np.array(asked.names)} | about(wish, sampler)
    file = io.BytesIO()
    cast(Any, np.savez_compressed)(file, **arrays)
    put(out, file.getvalue())
    return f"{wish.draws} answers to each of {len(asked.c)} images"


def _directory(
    wish: Wish, sampler: Sampler, others: dict[str, Sampler], asked: Asked, out: Path
) -> str:
    if not wish.force and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserMistake(
            f"{clean(out)} is there already: another --out, or --force to write over it"
        )
    drawn = answers.answers(sampler, asked.c, wish.seed, wish.draws)
    told, scale = about(wish, sampler), wish.scale or 1
    for number, x in enumerate(drawn):
        more = f"-{number + 1}" if wish.draws > 1 else ""
        for name, image in zip(asked.names, grid.pixels(x), strict=True):
            data = grid.png(grid.enlarge(image, scale), told)
            put(out / f"{name}{more}.png", data, sync=False)
    return f"{len(drawn) * len(asked.names)} answers to {len(asked.names)} images"
