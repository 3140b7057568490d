"""Samples as files: a grid, a plot, an array, or a directory of single images."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from gan_cli import __version__, disk
from gan_cli.errors import UserMistake
from gan_cli.plot import grid
from gan_cli.sampler import Sampler
from gan_cli.strict import clean

MAX_PIXELS = 100_000_000
"""Pixels of a picture, at most."""

MAX_BYTES = 16 << 30
"""Of all samples together, at most."""


@dataclass(frozen=True)
class Wish:
    """What to draw and where to, as far as it was said; the rest is chosen to suit the samples.

    `grid` is (rows, columns); `command` is what was typed, and goes into the files.
    """

    ckpt: Path
    out: Path | None = None
    n: int | None = None
    grid: tuple[int, int] | None = None
    scale: int | None = None
    seed: int = 0
    batch: int = 64
    force: bool = False
    command: str = ""


def draw(wish: Wish, sampler: Sampler) -> str:
    """Write the samples that are wished for, and return a line about them.

    The name decides: `.png` is a grid of images or a plot, `.npz` an array, and anything
    else a directory of single images, which must be new or empty unless `force`. Raises
    UserMistake before anything is written when the wish can't be granted, and DiskFailure.
    """
    out = wish.out or _default(wish, sampler)
    if out.suffix.lower() in _OTHER or out.name == "-":
        raise UserMistake(
            f"--out {clean(out)}: a name that ends in .png is a picture, in .npz an array, and any "
            "other a directory of single PNGs"
        )
    n = _count(wish, sampler)
    _check(wish, sampler, n, out)
    image = _is_image(sampler)
    writers: dict[str, _Writer] = {".png": _grid if image else _scatter, ".npz": _array}
    writers.get(out.suffix.lower(), _directory)(wish, sampler, n, out)
    whence = f"step {sampler.step}, {sampler.origin.weights} weights, seed {wish.seed}"
    return f"{clean(out, 4096)}: {n} samples of {_size(sampler)} ({whence})"


_OTHER = frozenset(
    ".bmp .gif .jpeg .jpg .mp4 .npy .pdf .pkl .pt .pth .safetensors .svg .tif .tiff .webp".split()
)

_PICTURED = {(1,), (2,)}
"""Shapes of points that a picture can show: a histogram, a scatter plot."""

_Writer = Callable[[Wish, Sampler, int, Path], None]


def _default(wish: Wish, sampler: Sampler) -> Path:
    """In the run's samples/ if it is of a run, else beside the file."""
    run = wish.ckpt if wish.ckpt.is_dir() else wish.ckpt.parent
    run = run.parent if run == run.parent / "checkpoints" else run
    folder = run / "samples" if (run / "checkpoints").is_dir() else run
    if folder != run and folder.is_symlink():
        raise UserMistake(f"{clean(folder)} leads elsewhere: say where to write with --out")
    drawable = _is_image(sampler) or sampler.space.shape in _PICTURED
    weights = "" if sampler.origin.averaged else "-raw"
    suffix = ".png" if drawable else ".npz"
    many = f"-{_count(wish, sampler)}" if wish.n or wish.grid else ""
    return folder / f"sample-step{sampler.step}{weights}-seed{wish.seed}{many}{suffix}"


def _count(wish: Wish, sampler: Sampler) -> int:
    if wish.n:
        return wish.n
    return math.prod(wish.grid) if wish.grid else 64 if _is_image(sampler) else 4096


def _check(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    """Raise UserMistake unless all that was said goes together."""
    image, suffix = _is_image(sampler), out.suffix.lower()
    if wish.grid and (not image or suffix != ".png"):
        raise UserMistake("--grid is for images in one picture: --out FILE.png")
    if wish.grid and n > math.prod(wish.grid):
        size = "x".join(map(str, wish.grid))
        raise UserMistake(f"{n} samples don't fit --grid {size}: a smaller -n")
    if wish.scale and (not image or suffix == ".npz"):
        raise UserMistake("--scale is for pictures of images, and this is none")
    if n * math.prod(sampler.space.shape) * 4 > MAX_BYTES:
        raise UserMistake(f"{n} samples of {_size(sampler)} are over 16 GiB: a smaller -n")
    if suffix in {".png", ".npz"} and out.is_dir():
        raise UserMistake(f"{clean(out)} is a directory: another name")
    if not image and suffix not in {".png", ".npz"}:
        raise UserMistake("points are no images: --out FILE.png or FILE.npz")
    if not image and suffix == ".png" and sampler.space.shape not in _PICTURED:
        raise UserMistake(f"points of {sampler.space.shape[0]} numbers: --out FILE.npz")


def _grid(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    channels, height, width = sampler.space.shape
    grid.check_channels(channels)
    columns = wish.grid[1] if wish.grid else math.ceil(math.sqrt(n))
    scale = wish.scale or grid.default_scale(height, width, columns)
    _check_pixels(n * height * width * scale**2)
    picture = grid.grid(sampler.sample(n, wish.seed, wish.batch), columns, scale)
    _put(out, grid.png(picture, _about(wish, sampler)))


def _scatter(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    from gan_cli.plot.histogram import histogram  # here, because grids do without matplotlib
    from gan_cli.plot.scatter import scatter

    points = sampler.sample(n, wish.seed, wish.batch)
    flat = sampler.space.shape == (1,)
    picture = histogram(points, f"step {sampler.step:,}") if flat else scatter(points)
    _put(out, grid.png(picture, _about(wish, sampler)))


def _array(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    batches = sampler.batches(n, wish.seed, wish.batch)
    parts = map(grid.pixels, batches) if _is_image(sampler) else (x.numpy() for x in batches)
    name = "images" if _is_image(sampler) else "points"
    arrays: dict[str, Any] = {name: np.concatenate(list(parts))}
    labels = sampler.labels(range(n))
    if labels is not None:
        arrays["labels"] = labels.numpy()
    arrays |= _about(wish, sampler) | {"seed": wish.seed}
    file = io.BytesIO()
    cast(Any, np.savez_compressed)(file, **arrays)
    _put(out, file.getvalue())


def _directory(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    channels, height, width = sampler.space.shape
    grid.check_channels(channels)
    scale = wish.scale or 1
    _check_pixels(height * width * scale**2)
    if not wish.force and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserMistake(
            f"{clean(out)} is there already: another --out, or --force to write over it"
        )
    about = _about(wish, sampler)
    for index, image in enumerate(_images(wish, sampler, n)):
        data = grid.png(grid.enlarge(image, scale), about | {"index": str(index)})
        _put(out / f"{index:06d}.png", data, sync=False)


def _images(wish: Wish, sampler: Sampler, n: int) -> Iterator[grid.Pixels]:
    for x in sampler.batches(n, wish.seed, wish.batch):
        yield from grid.pixels(x)


def _check_pixels(count: int) -> None:
    if count > MAX_PIXELS:
        raise UserMistake("a picture of over 100 million pixels: a smaller --grid, -n or --scale")


def _put(path: Path, data: bytes, sync: bool = True) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.failure(path, error) from error
    disk.replace(path, data, sync)


def _about(wish: Wish, sampler: Sampler) -> dict[str, str]:
    """Where a picture comes from."""
    return {
        "seed": str(wish.seed),
        "checkpoint": sampler.sha256,
        "step": str(sampler.step),
        "weights": sampler.origin.weights,
        "command": clean(wish.command, 4096),
        "gan": __version__,
    }


def _is_image(sampler: Sampler) -> bool:
    return len(sampler.space.shape) == 3


def _size(sampler: Sampler) -> str:
    return "x".join(map(str, sampler.space.shape))
