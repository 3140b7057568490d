"""The picture of `gan data preview`: a batch as D sees it."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan_cli import disk
from gan_cli.batch import Batch
from gan_cli.build import Parts
from gan_cli.cli_data import Asked
from gan_cli.console import Console
from gan_cli.dataset.source import Source
from gan_cli.errors import UserMistake
from gan_cli.plot.grid import Pixels, check_channels, default_scale, grid, png
from gan_cli.randomness import reseed
from gan_cli.strict import clean
from gan_cli.task import Derived
from gan_cli.wish import MAX_PIXELS

CPU = torch.device("cpu")


def draw(parts: Parts, asked: Asked, out: Path | None, n: int | None, seed: int) -> str:
    """Write the picture, show it on a terminal, and return a line about it.

    Images of classes are sorted by them; of pairs, each condition stands left of its image.
    """
    source = parts.dataset.load()
    try:
        parts.task.space(source)
        taken = parts.task.take(source)
    except ValueError as error:
        raise UserMistake(f"task: {error}") from error
    if refused := parts.augment.refuses(taken.shape):
        raise UserMistake(f"augment: {refused}")
    n = n or (64 if len(taken.shape) == 3 else 4096)
    n = n if taken.length is None else min(n, taken.length)
    batch = taken.open(n, seed, CPU)(0)
    reseed("preview", seed)
    seen = Batch(parts.augment(batch.x), batch.c)
    picture = _picture(seen, parts, taken)
    path = out or Path("outputs/data") / f"{_name(asked)}.png"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.failure(path, error) from error
    disk.replace(path, png(picture, {"seed": str(seed)}))
    if sys.stdout.isatty():
        Console.make().preview(picture)
    return f"{clean(path, 4096)}: {_told(seen, taken, n)}"


def _picture(batch: Batch, parts: Parts, source: Source) -> Pixels:
    if len(source.shape) != 3:
        return _points(batch.x)
    x = batch.x
    if isinstance(parts.task, Derived) and batch.c is not None:
        x = _pairs(parts.task.seen(batch.c), x)
    elif batch.c is not None:
        x = x[batch.c.argsort(stable=True)]
    count, channels, height, width = x.shape
    check_channels(channels)
    columns = max(1, round(math.sqrt(count * height / width)))
    scale = default_scale(height, width, columns)
    if count * height * width * scale**2 > MAX_PIXELS:
        raise UserMistake("a picture of over 100 million pixels: a smaller -n")
    return grid(x, columns, scale)


def _pairs(c: Tensor, x: Tensor) -> Tensor:
    """Each condition, as high as its image, left of it, `(N, C, H, W)`."""
    _, _, height, width = x.shape
    across = max(1, round(c.shape[3] * height / c.shape[2]))
    c = interpolate(c, (height, across), mode="nearest-exact")
    most = max(c.shape[1], x.shape[1])
    gap = torch.zeros(len(x), most, height, max(1, width // 32))
    left, right = (side if side.shape[1] == most else side[:, :1].repeat(1, most, 1, 1)
                   for side in (c, x))  # fmt: skip
    return torch.cat([left, gap, right], 3)


def _points(x: Tensor) -> Pixels:
    from gan_cli.plot.histogram import histogram
    from gan_cli.plot.scatter import scatter

    return histogram(x, "the data") if x.shape[1] == 1 else scatter(x[:, :2])


def _name(asked: Asked) -> str:
    """The file's name: of the directory, or of the choice."""
    if asked.directory is not None:
        named = Path(asked.directory).expanduser().absolute().name
    else:
        named = next(t for t in asked.overrides if t.startswith("dataset")).partition("=")[2]
    return re.sub(r"[^\w.-]+", "-", named).strip(".-")[:80] or "data"


def _told(batch: Batch, source: Source, n: int) -> str:
    shape = "×".join(map(str, source.shape))
    whole = "an endless set" if source.length is None else f"{source.length:,}"
    text = f"{n} of {whole}, {shape}"
    if source.classes and batch.c is not None and batch.c.ndim == 1:
        text += f", sorted by their {len(source.classes)} classes"
    return text
