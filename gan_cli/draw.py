"""Samples as files: a grid, a plot, an array, or a directory of single images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from gan_cli import stream
from gan_cli.errors import UserMistake
from gan_cli.plot import grid
from gan_cli.sampler import Sampler
from gan_cli.strict import clean
from gan_cli.wish import MAX_BYTES, MAX_PIXELS, Wish, about, labels_of, place, put

MOST = 100_000_000
"""Samples that are written one by one, at most."""

COLUMNS = 8
"""Samples of each class in a picture."""


def draw(wish: Wish, sampler: Sampler) -> str:
    """Write the samples that are wished for, and return a line about them.

    The name decides: `.png` is a grid of images or a plot, `.npz` an array, and anything
    else a directory of single images, which must be new or empty unless `force`. Raises
    UserMistake before anything is written when the wish can't be granted, and DiskFailure.
    """
    drawable = _is_image(sampler) or sampler.space.shape in _PICTURED
    many = f"-{_count(wish, sampler)}" if wish.n or wish.grid else ""
    out = place(wish, sampler, ".png" if drawable else ".npz", many)
    n = _count(wish, sampler)
    _check(wish, sampler, n, out)
    image = _is_image(sampler)
    writers: dict[str, _Writer] = {".png": _grid if image else _scatter, ".npz": stream.array}
    made = writers.get(out.suffix.lower(), _singles)(wish, sampler, n, out)
    whence = f"step {sampler.step}, {sampler.origin.weights} weights, seed {wish.seed}"
    more = f", {made}" if made else ""
    whence += f", {wish.way}" if wish.way else ""
    return f"{clean(out, 4096)}: {n} samples of {_size(sampler)}{more} ({whence})"


_PICTURED = {(1,), (2,)}
"""Shapes of points that a picture can show: a histogram, a scatter plot."""

_Writer = Callable[[Wish, Sampler, int, Path], str | None]


def _count(wish: Wish, sampler: Sampler) -> int:
    labels = labels_of(wish, sampler)
    if labels and not wish.grid:
        return wish.n or COLUMNS * len(labels)
    if wish.n:
        return wish.n
    return math.prod(wish.grid) if wish.grid else 64 if _is_image(sampler) else 4096


def _check(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    """Raise UserMistake unless all that was said goes together."""
    image, suffix = _is_image(sampler), out.suffix.lower()
    if wish.given or wish.whole:
        raise UserMistake("--input and --from are for generators that make images from images")
    if (labels := labels_of(wish, sampler)) and n % len(labels):
        typed = f"--grid {len(labels)}xCOLUMNS" if wish.grid else f"-n a multiple of {len(labels)}"
        raise UserMistake(f"{n} samples of {len(labels)} classes: {typed}")
    if wish.grid and (not image or suffix != ".png"):
        raise UserMistake("--grid is for images in one picture: --out FILE.png")
    if wish.grid and n > math.prod(wish.grid):
        size = "x".join(map(str, wish.grid))
        raise UserMistake(f"{n} samples don't fit --grid {size}: a smaller -n")
    _check_size(wish, sampler, n, suffix)
    if suffix in {".png", ".npz"} and out.is_dir():
        raise UserMistake(f"{clean(out)} is a directory: another name")
    if not image and suffix not in {".png", ".npz"}:
        raise UserMistake("points are no images: --out FILE.png or FILE.npz")
    if not image and suffix == ".png" and sampler.space.shape not in _PICTURED:
        raise UserMistake(f"points of {sampler.space.shape[0]} numbers: --out FILE.npz")


def _check_size(wish: Wish, sampler: Sampler, n: int, suffix: str) -> None:
    if wish.scale and (not _is_image(sampler) or suffix == ".npz"):
        raise UserMistake("--scale is for pictures of images, and this is none")
    if suffix not in {".png", ".npz"} and n > MOST:
        raise UserMistake(f"{n} samples; at most {MOST:,} at once: a smaller -n")
    if wish.shards and suffix in {".png", ".npz"}:
        raise UserMistake("--shards are files in a directory: --out DIRECTORY")
    if suffix == ".png" and n * math.prod(sampler.space.shape) * 4 > MAX_BYTES:
        raise UserMistake(f"{n} samples of {_size(sampler)} are over 16 GiB: a smaller -n")


def _grid(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    channels, height, width = sampler.space.shape
    grid.check_channels(channels)
    labels = labels_of(wish, sampler)
    alone = len(labels) == 1 and n > COLUMNS  # one class, and more of it than a row
    square = math.ceil(math.sqrt(n)) if alone or not labels else n // len(labels)
    columns = wish.grid[1] if wish.grid else square
    scale = wish.scale or grid.default_scale(height, width, columns)
    _check_pixels(n * height * width * scale**2)
    picture = grid.grid(torch.cat(list(_batches(wish, sampler, n))), columns, scale)
    put(out, grid.png(picture, about(wish, sampler)))


def _scatter(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    from gan_cli.plot.histogram import histogram  # here, because grids do without matplotlib
    from gan_cli.plot.scatter import scatter

    points = sampler.sample(n, wish.seed, wish.batch)
    flat = sampler.space.shape == (1,)
    picture = histogram(points, f"step {sampler.step:,}") if flat else scatter(points)
    put(out, grid.png(picture, about(wish, sampler)))


def _singles(wish: Wish, sampler: Sampler, n: int, out: Path) -> str | None:
    channels, height, width = sampler.space.shape
    grid.check_channels(channels)
    _check_pixels(height * width * (wish.scale or 1) ** 2)
    if wish.shards:
        return stream.shards(wish, sampler, n, out)
    stream.directory(wish, sampler, n, out)
    return None


def _batches(wish: Wish, sampler: Sampler, n: int) -> Iterator[torch.Tensor]:
    labels = labels_of(wish, sampler)
    if labels:
        return sampler.rows(labels, n // len(labels), wish.seed, wish.batch)
    return sampler.batches(n, wish.seed, wish.batch)


def _check_pixels(count: int) -> None:
    if count > MAX_PIXELS:
        raise UserMistake("a picture of over 100 million pixels: a smaller --grid, -n or --scale")


def _is_image(sampler: Sampler) -> bool:
    return len(sampler.space.shape) == 3


def _size(sampler: Sampler) -> str:
    return "x".join(map(str, sampler.space.shape))
