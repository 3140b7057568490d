"""`gan invert`: the latent codes that best give images. Help comes without heavy imports."""

from __future__ import annotations

import argparse
import io
import math
import re
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gan_cli.errors import UserMistake
from gan_cli.nearby import check_named
from gan_cli.options import Parser, add_device, add_trust, import_from_here, whole
from gan_cli.strict import clean

if TYPE_CHECKING:
    from torch import Tensor

    from gan_cli.latent import Found
    from gan_cli.sampler import Sampler
    from gan_cli.wish import Wish

MOST = 64
"""Images inverted at once, at most: each is a row of the picture."""

LARGEST = 999_999
"""What can be typed as a number, at most."""

_NOISE = "deviation of a pixel that G need not explain, of values from -1 to 1 (0.1)"


def main(args: list[str]) -> int:
    """Run `gan invert` with these arguments. Raises GanError."""
    asked = _parser().parse_intermixed_args(args)
    check_named(asked.ckpt, "gan invert IMAGE")
    from torch import OutOfMemoryError

    from gan_cli.fast import pick_device
    from gan_cli.grounds import notes
    from gan_cli.latent import Inversion, invert
    from gan_cli.reply import decoded
    from gan_cli.sampler import Sampler
    from gan_cli.wish import Wish, named, picture_place, put

    trust = tuple(asked.trust)
    import_from_here(*trust)
    how = Inversion(
        steps=asked.steps,
        restarts=asked.restarts,
        drawn=max(512, asked.restarts),
        noise=asked.noise,
    )
    command = shlex.join(["gan", "invert", *args])
    device = pick_device(asked.device)
    sampler = Sampler.load(asked.ckpt, device, asked.raw, trust)
    for reason in sampler.origin.rejected:
        sys.stderr.write(f"passed over: {reason}\n")
    wish = Wish(
        Path(asked.ckpt), asked.out, scale=asked.scale, seed=asked.seed, command=command,
        classes=asked.classes,
    )  # fmt: skip
    labels = _labels(wish, sampler)
    out = picture_place(wish, sampler, f"-inverted-{named(_called(asked.images))}")
    if asked.save is not None and asked.save.suffix.lower() != ".npz":
        raise UserMistake(f"--save {clean(asked.save)}: codes are an array: --save FILE.npz")
    paths, names = _paths(asked.images)
    x = decoded(paths, sampler.space.shape)
    for note in notes(sampler, x, names):
        sys.stderr.write(f"note: {note}\n")
    clock = Clock(len(x), how.steps, asked.seconds)
    try:
        found = invert(sampler, x, labels, asked.seed, how, clock.tell)
    except OutOfMemoryError as error:
        raise UserMistake(f"out of memory on {device}: fewer --restarts") from error
    finally:
        clock.stop()
    lines, figures = _figures(sampler, found, x, names)
    put(out, _picture(wish, sampler, found, x, names))
    lines.append(f"{clean(out, 4096)}: image, reconstruction, difference; {clock.spent:.0f} s")
    if asked.save is not None:
        put(asked.save, _codes(wish, sampler, found, names, figures))
        lines.append(f"{clean(asked.save, 4096)}: codes z of {len(x)} images")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


class Clock:
    """How long it takes: told on a terminal, and no longer than was asked for."""

    def __init__(self, images: int, steps: int, seconds: int):
        self.images, self.steps, self.seconds = images, steps, seconds
        self.start, self.shown = time.monotonic(), 0.0
        self.live = sys.stderr.isatty()

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.start

    def tell(self, done: int, of: int) -> None:
        """So many steps are done. UserMistake when they take too long."""
        spent = self.spent
        expected = spent / done * of if done >= self.steps else spent
        if expected > self.seconds:
            raise UserMistake(
                f"{self.images} images take about {expected:,.0f} s or more, and --seconds is "
                f"{self.seconds}: a larger one, fewer --steps or --restarts, or --class"
            )
        if self.live and spent - self.shown > 0.5:
            self.shown = spent
            sys.stderr.write(f"\r{done}/{of} steps, {spent / done * (of - done):.0f} s left   ")
            sys.stderr.flush()

    def stop(self) -> None:
        """Clear the line."""
        if self.shown:
            sys.stderr.write("\r\033[K")


def _labels(wish: Wish, sampler: Sampler) -> list[int]:
    """The classes that are tried."""
    from gan_cli.wish import ROWS, labels_of

    if sampler.space.given is not None:
        raise UserMistake(
            "this generator answers images, so there is nothing to invert: gan sample --input"
        )
    if len(sampler.space.shape) != 3:
        raise UserMistake("this generator makes points, and images are inverted")
    if not wish.classes and len(sampler.space.classes) > ROWS:
        raise UserMistake(f"over {ROWS} classes to be tried: --class NAME")
    return labels_of(wish, sampler)


def _called(given: list[Path]) -> str:
    """The images in a word or two, for the name of a file."""
    first = given[0].stem or given[0].resolve().name
    return f"{first}-and-{len(given) - 1}-more" if len(given) > 1 else first


def _paths(given: list[Path]) -> tuple[list[Path], list[str]]:
    """The images, and their names; a directory stands for all that are in it."""
    from gan_cli.dataset.listing import KINDS, Listing, is_directory

    paths: list[Path] = []
    names: list[str] = []
    for path in given:
        if is_directory(path):
            try:
                listing = Listing.scan(path)
            except UserMistake as error:
                kinds = ", ".join(KINDS)
                raise UserMistake(f"{clean(path)} holds no images ({kinds})") from error
            paths, names = paths + list(listing.paths), names + list(listing.names)
        else:
            paths, names = [*paths, path], [*names, path.name]
    if len(paths) > MOST:
        raise UserMistake(f"{len(paths)} images; at most {MOST} at once")
    return paths, names


def _figures(
    sampler: Sampler, found: Found, x: Tensor, names: list[str]
) -> tuple[list[str], dict[str, Any]]:
    """A line about each image, and its figures."""
    from gan_cli.latent import MANY
    from gan_cli.metric.picture import psnr, ssim

    figures = {"psnr": psnr(found.x, x), "ssim": ssim(found.x, x), "length": found.z.norm(dim=1)}
    ends = sampler.codes(range(MANY), 0).norm(dim=1).sort().values[[MANY // 20, -MANY // 20]]
    low, high = (float(end) for end in ends)
    lines = []
    for i, name in enumerate(names):
        told = f"{clean(name, 48)}: PSNR {figures['psnr'][i]:.1f} dB, SSIM {figures['ssim'][i]:.3f}"
        if found.c is not None:
            told += f", class {sampler.space.classes[int(found.c[i])]}"
        told += f", |z| {figures['length'][i]:.1f} (the prior's {low:.1f} to {high:.1f})"
        lines.append(f"{told}, likelier than {_share(float(found.likelier[i]))} of its codes")
    if len(names) > 1:
        mean = {name: float(value.mean()) for name, value in figures.items()}
        lines.append(f"mean: PSNR {mean['psnr']:.1f} dB, SSIM {mean['ssim']:.3f}")
    return lines, {name: value.numpy() for name, value in figures.items()}


def _share(part: float) -> str:
    """A share in words: percents, but for the ends."""
    if part < 0.01:
        return "hardly any"
    return "nearly all" if part > 0.99 else f"{100 * part:.0f} %"


def _picture(wish: Wish, sampler: Sampler, found: Found, x: Tensor, names: list[str]) -> bytes:
    """A row for each image: what it is, what G makes of its code, and how they differ."""
    import torch

    from gan_cli.plot import grid, labelled
    from gan_cli.wish import about

    grid.check_channels(x.shape[1])
    apart = (found.x.clamp(-1, 1) - x).abs() - 1
    if x.shape[1] in (2, 4):
        apart[:, -1] = 1  # as opaque as can be
    rows = torch.stack([x, found.x, apart], 1).flatten(0, 1)
    scale = wish.scale or grid.default_scale(x.shape[2], x.shape[3], 3)
    shown = [clean(name, 24) for name in names]
    picture = labelled.table(rows, 3, scale, shown, ("image", "found", "difference"))
    return grid.png(picture, about(wish, sampler))


def _codes(
    wish: Wish, sampler: Sampler, found: Found, names: list[str], figures: dict[str, Any]
) -> bytes:
    """The codes and what belongs to them, as an .npz file."""
    import numpy as np

    from gan_cli.wish import about

    arrays: dict[str, Any] = {"z": found.z.numpy(), "names": np.array(names)}
    if found.c is not None:
        arrays["labels"] = found.c.numpy()
    arrays |= {"likelier": found.likelier.numpy()} | figures | about(wish, sampler)
    file = io.BytesIO()
    cast(Any, np.savez_compressed)(file, **arrays)
    return file.getvalue()


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "gan invert",
        "Find the latent codes that best give images, and show what they give.",
        "The same seed finds the same codes. An image that G could not have made is met by the "
        "nearest that it can.",
    )
    add, count = parser.add_argument, whole(1, LARGEST)
    add("images", nargs="+", type=Path, metavar="IMAGE", help="an image, or a directory of them")
    add("--ckpt", metavar="PATH", help="run directory, training checkpoint or generator file")
    add("--class", dest="classes", metavar="NAMES", help="only of these classes (all are tried)")
    add("--steps", type=count, default=400, metavar="K", help="of descent (400)")
    add("--restarts", type=count, default=8, metavar="K", help="descents for an image (8)")
    add("--noise", type=_positive, default=0.1, metavar="S", help=_NOISE)
    add("--seed", type=whole(0), default=0, metavar="S", help="of where the descents begin (0)")
    add("--seconds", type=count, default=600, metavar="T", help="at most (600)")
    add("--out", type=Path, metavar="FILE.png", help="the picture (in the run's samples/)")
    add("--save", type=Path, metavar="FILE.npz", help="the codes, as arrays z, labels and names")
    add("--scale", type=count, metavar="K", help="enlarge images K times (to be seen)")
    add("--raw", action="store_true", help="the weights themselves, not their average")
    add_device(parser)
    add_trust(parser)
    return parser


def _positive(text: str) -> float:
    if not re.fullmatch(r"\d{0,4}(\.\d{1,9})?", text, re.ASCII) or not text:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return float(text)
