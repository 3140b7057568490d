"""Samples as a table with names: of seeds, between them, of truncations, of kinds of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from gan_cli import paths
from gan_cli.errors import UserMistake
from gan_cli.plot import grid, labelled
from gan_cli.sampler import Sampler
from gan_cli.strict import clean
from gan_cli.truncation import truncated
from gan_cli.wish import (
    MAX_PIXELS,
    Wish,
    about,
    check_images,
    in_turn,
    named,
    picture_place,
    put,
    spelt,
)

COLUMNS = 10
"""Samples in a row, unless it is said."""

SHEET = 8
"""Columns of a picture of seeds."""


def seeds(wish: Wish, sampler: Sampler, wanted: Sequence[int]) -> str:
    """The first sample of each seed, with its number, to choose from."""
    check_images(sampler, "--seeds")
    z = torch.cat([sampler.codes(range(1), seed) for seed in wanted])
    x = sampler.generate(z, in_turn(wish, sampler, len(wanted)))
    columns = min(SHEET, len(wanted))
    names = [str(seed) for seed in wanted]
    rows = [names[first] for first in range(0, len(names), columns)]
    heads = [f"+{i}" for i in range(columns)] if _counted(wanted) else []
    if not heads:
        rows = [f"{first} …" if columns > 1 else first for first in rows]
    return _write(
        wish,
        sampler,
        x,
        columns,
        rows,
        heads,
        f"-seeds{named(spelt(wanted))}",
        f"{len(wanted)} seeds",
    )


def interpolation(
    wish: Wish, sampler: Sampler, wanted: Sequence[int], steps: int, spherical: bool | None
) -> str:
    """A row from the first sample of each seed to that of the next.

    The ends are the samples of the seeds themselves. Of a generator of classes each row is of one
    class: those that are asked for in turn.
    """
    check_images(sampler, "--interpolate")
    if len(wanted) < 2:
        raise UserMistake("--interpolate: two seeds or more, such as 1,5,9")
    if spherical is None:
        spherical = paths.spherical_by_default(sampler.prior)
    ends = {seed: sampler.codes(range(1), seed)[0] for seed in wanted}
    rows = [
        paths.between(sampler.prior, ends[a], ends[b], steps, spherical)
        for a, b in pairwise(wanted)
    ]
    labels = in_turn(wish, sampler, len(rows))
    asked = None if labels is None else labels.repeat_interleave(steps)
    x = sampler.generate(torch.cat(rows), asked)
    names = [f"{a} to {b}" for a, b in pairwise(wanted)]
    if labels is not None:
        classes = [sampler.space.classes[label] for label in labels.tolist()]
        names = [f"{c}: {name}" for c, name in zip(classes, names, strict=True)]
    way = "spherical" if spherical else "linear"
    told = f"{len(rows)} rows of {steps} from seed to seed, {way}"
    return _write(wish, sampler, x, steps, names, [], f"-between{named(spelt(wanted))}", told)


def truncations(wish: Wish, sampler: Sampler, bounds: Sequence[float]) -> str:
    """A row for each psi, the same codes along a column."""
    check_images(sampler, "--truncations")
    n = wish.n or COLUMNS
    labels = in_turn(wish, sampler, n)
    rows = [truncated(sampler, psi).sample(n, wish.seed, wish.batch, labels) for psi in bounds]
    what = "psi" if hasattr(sampler.generator, "psi") else "|z| <="
    names = [f"{what} {psi:g}" for psi in bounds]
    asked = ",".join(f"{psi:g}" for psi in bounds)
    told = f"{n} samples at {', '.join(names)}"
    return _write(wish, sampler, torch.cat(rows), n, names, [], f"-truncations{named(asked)}", told)


def weights(wish: Wish, sampler: Sampler, load: Callable[[], Sampler]) -> str:
    """The averaged weights above the raw ones, which `load` gives, of the same codes."""
    check_images(sampler, "--ema")
    if not sampler.origin.averaged:
        raise UserMistake("--ema: this file holds no averaged weights beside the raw ones")
    n = wish.n or COLUMNS
    labels = in_turn(wish, sampler, n)
    rows: list[Tensor] = [
        each.sample(n, wish.seed, wish.batch, labels) for each in (sampler, load())
    ]
    names = ["average", "raw"]
    told = f"{n} samples of the averaged weights above those of the raw ones"
    return _write(wish, sampler, torch.cat(rows), n, names, [], "-ema", told)


def _counted(wanted: Sequence[int]) -> bool:
    """Whether seeds follow one another."""
    return all(b - a == 1 for a, b in pairwise(wanted))


def _write(
    wish: Wish,
    sampler: Sampler,
    x: Tensor,
    columns: int,
    rows: list[str],
    heads: list[str],
    detail: str,
    told: str,
) -> str:
    out: Path = picture_place(wish, sampler, detail)
    _, _, height, width = x.shape
    scale = wish.scale or grid.default_scale(height, width, columns)
    if len(x) * height * width * scale**2 > MAX_PIXELS:
        raise UserMistake(
            "a picture of over 100 million pixels: a smaller --scale, or fewer of them"
        )
    picture = labelled.table(x, columns, scale, rows, heads)
    put(out, grid.png(picture, about(wish, sampler)))
    whence = f"step {sampler.step}, {sampler.origin.weights} weights"
    return f"{clean(out, 4096)}: {told} ({whence})"
