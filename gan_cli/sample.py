"""`gan sample`: pictures from a checkpoint."""

from __future__ import annotations

import argparse
import io
import math
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from gan_cli import __version__
from gan_cli.errors import UserMistake

if TYPE_CHECKING:
    from gan_cli.plot.grid import Pixels
    from gan_cli.sampler import Sampler

MAX_PIXELS = 100_000_000
MAX_BYTES = 16 << 30


@dataclass(frozen=True)
class Wish:
    """What to draw, and where to."""

    count: int
    seed: int
    batch: int
    columns: int | None
    scale: int | None
    out: Path
    force: bool
    command: str


def main(args: list[str]) -> int:
    """Run `gan sample` with these arguments. Raises GanError."""
    asked = _parser().parse_args(args)
    if asked.ckpt is None:
        raise UserMistake(f"which generator? gan sample --ckpt {_suggestion()}")
    from torch import OutOfMemoryError

    from gan_cli.fast import pick_device
    from gan_cli.sampler import Sampler

    device = pick_device(asked.device)
    sampler = Sampler.load(asked.ckpt, device, asked.raw, tuple(asked.trust))
    for reason in sampler.origin.rejected:
        sys.stderr.write(f"passed over: {reason}\n")
    wish = _wish(asked, sampler, shlex.join(["gan", "sample", *args]))
    try:
        _writer(wish, sampler)(wish, sampler)
    except OutOfMemoryError as error:
        raise UserMistake(f"out of memory on {device}: a --batch below {wish.batch}") from error
    sys.stdout.write(_told(wish, sampler))
    return 0


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
    add("--grid", type=_grid_size, metavar="RxC", help="rows and columns of a grid, such as 8x8")
    add("--seed", type=_whole(0), default=0, metavar="S", help="of the latent codes (0)")
    add("--out", type=Path, metavar="PATH", help=f"{_OUT_HELP}")
    add("--scale", type=_whole(1), metavar="K", help="enlarge images K times (grids: to be seen)")
    add("--raw", action="store_true", help="the weights themselves, not their average")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (auto)")
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


_OUT_HELP = (
    "FILE.png: one picture. FILE.npz: an array, of uint8 images (N, H, W, C) or of points. "
    "Any other name: a directory of single images. (a picture in the run's samples/)"
)


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,18}", text, re.ASCII) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
        return int(text)

    return parse


def _grid_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no ROWSxCOLUMNS, such as 4x8")
    return int(match[1]), int(match[2])


def _suggestion() -> str:
    """The run that was written to last, or a placeholder."""
    depths = ("*/checkpoints", "*/*/checkpoints")
    runs = [path for depth in depths for path in Path("outputs").glob(depth)]
    newest = max(runs, key=lambda path: path.stat().st_mtime, default=Path("outputs/RUN/x"))
    return shlex.quote(str(newest.parent))


def _wish(asked: argparse.Namespace, sampler: Sampler, command: str) -> Wish:
    shape, grid = sampler.space.shape, asked.grid
    out = asked.out or _default_out(Path(asked.ckpt), sampler, asked.seed)
    count = asked.n or (grid[0] * grid[1] if grid else 64 if len(shape) == 3 else 4096)
    if grid and (len(shape) != 3 or out.suffix.lower() != ".png"):
        raise UserMistake("--grid is for images in one picture: --out FILE.png")
    if grid and count > grid[0] * grid[1]:
        raise UserMistake(f"{count} samples don't fit --grid {grid[0]}x{grid[1]}: a smaller -n")
    if asked.scale and (len(shape) != 3 or out.suffix.lower() == ".npz"):
        raise UserMistake("--scale is for pictures of images, and this is none")
    if count * math.prod(shape) * 4 > MAX_BYTES:
        raise UserMistake(f"{count} samples of {_size(shape)} are over 16 GiB: a smaller -n")
    return Wish(
        count,
        asked.seed,
        asked.batch,
        grid and grid[1],
        asked.scale,
        out,
        asked.force,
        command,
    )


def _default_out(ckpt: Path, sampler: Sampler, seed: int) -> Path:
    """In the run's samples/ if it is of a run, else beside the file."""
    run = ckpt if ckpt.is_dir() else ckpt.parent
    run = run.parent if run.name == "checkpoints" else run
    folder = run / "samples" if (run / "checkpoints").is_dir() else run
    if folder.is_symlink():
        raise UserMistake(f"{folder} leads elsewhere: say where to write with --out")
    drawable = len(sampler.space.shape) == 3 or sampler.space.shape == (2,)
    weights = "-raw" if sampler.origin.weights == "raw" else ""
    suffix = ".png" if drawable else ".npz"
    return folder / f"sample-step{sampler.step}{weights}-seed{seed}{suffix}"


Writer = Callable[[Wish, "Sampler"], None]


def _writer(wish: Wish, sampler: Sampler) -> Writer:
    """Who writes the kind of file that the name asks for."""
    image = len(sampler.space.shape) == 3
    writers = {".png": _grid if image else _scatter, ".npz": _array}
    writer = writers.get(wish.out.suffix.lower(), _directory)
    if not image and writer is _directory:
        raise UserMistake("points are no images: --out FILE.png or FILE.npz")
    if writer is not _directory and wish.out.is_dir():
        raise UserMistake(f"{wish.out} is a directory: another name")
    return writer


def _grid(wish: Wish, sampler: Sampler) -> None:
    import torch

    from gan_cli.plot import grid

    channels, height, width = sampler.space.shape
    grid.check_channels(channels)
    columns = wish.columns or math.ceil(math.sqrt(wish.count))
    scale = wish.scale or grid.default_scale(height, width, columns)
    if wish.count * height * width * scale**2 > MAX_PIXELS:
        raise UserMistake("a picture of over 100 million pixels: a smaller --grid, -n or --scale")
    x = torch.cat(list(sampler.batches(wish.count, wish.seed, wish.batch)))
    _put(wish.out, grid.png(grid.grid(x, columns, scale), _text(wish, sampler)))


def _scatter(wish: Wish, sampler: Sampler) -> None:
    from gan_cli.plot import grid, scatter

    if sampler.space.shape != (2,):
        raise UserMistake(f"points of {sampler.space.shape[0]} numbers: --out FILE.npz")
    x = sampler.sample(wish.count, wish.seed, wish.batch)
    _put(wish.out, grid.png(scatter.scatter(x), _text(wish, sampler)))


def _array(wish: Wish, sampler: Sampler) -> None:
    import numpy as np

    from gan_cli.plot import grid

    batches = sampler.batches(wish.count, wish.seed, wish.batch)
    image = len(sampler.space.shape) == 3
    if image:
        arrays: dict[str, np.ndarray] = {
            "images": np.concatenate([grid.pixels(x) for x in batches])
        }
    else:
        arrays = {"points": np.concatenate([x.numpy() for x in batches])}
    labels = sampler.labels(range(wish.count))
    if labels is not None:
        arrays["labels"] = labels.numpy()
    file = io.BytesIO()
    arrays |= {key: np.array(value) for key, value in _text(wish, sampler).items()}
    cast(Any, np.savez_compressed)(file, **(arrays | {"seed": np.array(wish.seed)}))
    _put(wish.out, file.getvalue())


def _directory(wish: Wish, sampler: Sampler) -> None:
    from gan_cli.plot import grid

    grid.check_channels(sampler.space.shape[0])
    if not wish.force and wish.out.exists() and (wish.out.is_file() or any(wish.out.iterdir())):
        raise UserMistake(
            f"{wish.out} is there already: another --out, or --force to write into it"
        )
    text = _text(wish, sampler)
    for index, image in enumerate(_images(wish, sampler)):
        picture = grid.enlarge(image, wish.scale or 1)
        _put(wish.out / f"{index:06d}.png", grid.png(picture, text | {"index": str(index)}))


def _images(wish: Wish, sampler: Sampler) -> Iterator[Pixels]:
    from gan_cli.plot import grid

    for x in sampler.batches(wish.count, wish.seed, wish.batch):
        yield from grid.pixels(x)


def _put(path: Path, data: bytes) -> None:
    from gan_cli import disk

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.failure(path, error) from error
    disk.replace(path, data)


def _text(wish: Wish, sampler: Sampler) -> dict[str, str]:
    """Where a picture comes from."""
    return {
        "seed": str(wish.seed),
        "checkpoint": sampler.sha256,
        "step": str(sampler.step),
        "weights": sampler.origin.weights,
        "command": wish.command,
        "gan": __version__,
    }


def _told(wish: Wish, sampler: Sampler) -> str:
    what = f"{wish.count} samples of {_size(sampler.space.shape)}"
    whence = f"step {sampler.step}, {sampler.origin.weights} weights, seed {wish.seed}"
    return f"{wish.out}: {what} ({whence})\n"


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
