"""What is wished for of a generator, and where it goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import torch
from torch import Tensor

from gan_cli import __version__, disk
from gan_cli.errors import UserMistake
from gan_cli.sampler import Sampler
from gan_cli.strict import clean

ROWS = 64
"""Rows of a picture of classes, at most."""

MAX_BYTES = 16 << 30
"""Of all samples that are held together, at most."""

MAX_PIXELS = 100_000_000
"""Pixels of a picture, at most."""

NAME = 40
"""Characters of what was asked for in the name of a file, at most."""


@dataclass(frozen=True)
class Wish:
    """What to draw and where to, as far as it was said; the rest is chosen to suit the samples.

    `grid` is (rows, columns); `classes` are names or numbers, `given` the images to be answered
    and `whole` those of which they are made, each of them answered `draws` times; `shards`
    are so many images of a tar file; `way` is what else makes the samples what they are, in words;
    `command` is what was typed, and goes into the files.
    """

    ckpt: Path
    out: Path | None = None
    n: int | None = None
    grid: tuple[int, int] | None = None
    scale: int | None = None
    seed: int = 0
    batch: int = 64
    force: bool = False
    classes: str | None = None
    given: Path | None = None
    whole: Path | None = None
    draws: int = 1
    shards: int | None = None
    way: str = ""
    command: str = ""


def place(
    wish: Wish,
    sampler: Sampler,
    suffix: str,
    detail: str = "",
    films: frozenset[str] = frozenset(),
) -> Path:
    """Where it goes when nothing is said: into the run's samples/ if it is of a run, else beside
    the file. UserMistake for a folder that leads elsewhere, or a name of a kind that isn't made;
    where films are made, for all other kinds."""
    if wish.out is not None:
        kind = wish.out.suffix.lower()
        if films and (kind not in films or wish.out.is_dir()):
            names = ", ".join(f"FILE{film}" for film in sorted(films))
            raise UserMistake(f"--out {clean(wish.out)}: this is one file: --out {names}")
        if not films and (kind in _OTHER or wish.out.name == "-"):
            raise UserMistake(
                f"--out {clean(wish.out)}: a name that ends in .png is a picture, in .npz an "
                "array, and any other a directory of single PNGs"
            )
        return wish.out
    run = wish.ckpt if wish.ckpt.is_dir() else wish.ckpt.parent
    run = run.parent if run == run.parent / "checkpoints" else run
    folder = run / "samples" if (run / "checkpoints").is_dir() else run
    if folder != run and folder.is_symlink():
        raise UserMistake(f"{clean(folder)} leads elsewhere: say where to write with --out")
    weights = "" if sampler.origin.averaged else "-raw"
    kind = f"-class{re.sub(r'[^0-9A-Za-z,-]', '_', wish.classes)[:40]}" if wish.classes else ""
    way = f"-{wish.way.replace('=', '').replace(' ', '-')}" if wish.way else ""
    name = f"sample-step{sampler.step}{weights}-seed{wish.seed}{kind}{way}{detail}{suffix}"
    return folder / name


def named(words: str) -> str:
    """What was asked for, as a part of a file's name: others for other words, and short."""
    safe = re.sub(r"[^0-9A-Za-z.,_-]", "_", words)
    if safe == words.replace(" ", "_") and len(words) <= NAME:
        return safe
    return f"{safe[: NAME - 9]}-{crc32(words.encode(errors='surrogateescape')):08x}"


def spelt(seeds: Sequence[int]) -> str:
    """Seeds as they are typed, those that follow one another as a range: 1,5,9 or 1-8."""
    if len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    return ",".join(map(str, seeds))


_OTHER = frozenset(
    ".bmp .gif .jpeg .jpg .mp4 .npy .pdf .pkl .pt .pth .safetensors .svg .tif .tiff .webp".split()
)


def picture_place(wish: Wish, sampler: Sampler, detail: str) -> Path:
    """Where one picture goes; UserMistake for a name that is no picture's."""
    if wish.out is not None and (wish.out.suffix.lower() != ".png" or wish.out.is_dir()):
        raise UserMistake(f"--out {clean(wish.out)}: this is one picture: --out FILE.png")
    return place(wish, sampler, ".png", detail)


def check_images(sampler: Sampler, flag: str) -> None:
    """Raise UserMistake unless the generator makes images of codes."""
    if sampler.space.given:
        raise UserMistake(f"{flag} is for generators that are given no image: --from or --input")
    if len(sampler.space.shape) != 3:
        raise UserMistake(f"{flag} is for generators that make images; leave it out")


def put(path: Path, data: bytes, sync: bool = True) -> None:
    """Write a file, and the directories it is in; DiskFailure."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.failure(path, error) from error
    disk.replace(path, data, sync)


def about(wish: Wish, sampler: Sampler) -> dict[str, str]:
    """Where a picture comes from."""
    return {
        "seed": str(wish.seed),
        "checkpoint": sampler.sha256,
        "step": str(sampler.step),
        "weights": sampler.origin.weights,
        "command": clean(wish.command, 4096),
        "gan": __version__,
    }


def labels_of(wish: Wish, sampler: Sampler) -> list[int]:
    """The labels that are wished for; none where any will do.

    A picture of a generator of classes shows them all, unless a number of samples is asked for.
    """
    names = sampler.space.classes
    if wish.classes is None:
        pictured = wish.out is None or wish.out.suffix.lower() == ".png"
        shows_all = pictured and not (wish.n or wish.grid) and len(names) <= ROWS
        return list(range(len(names))) if shows_all else []
    if not names:
        raise UserMistake("--class: this generator knows no classes; train one with task=label")
    return [label for part in wish.classes.split(",") for label in _labels(part.strip(), names)]


def in_turn(wish: Wish, sampler: Sampler, n: int) -> Tensor | None:
    """Labels `(n,)` of samples side by side: the classes wished for in turn, else all of them."""
    names = sampler.space.classes
    if wish.classes is None and not names:
        return None
    listed = torch.arange(len(names))
    if wish.classes is not None:
        listed = torch.tensor(labels_of(wish, sampler))
    return listed[torch.arange(n) % len(listed)]


def _labels(part: str, names: tuple[str, ...]) -> list[int]:
    if (one := _label(part, names)) is not None:
        return [one]
    first, _, last = part.partition("-")
    ends = _label(first.strip(), names), _label(last.strip(), names)
    if ends[0] is None or ends[1] is None or ends[0] > ends[1]:
        known = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        raise UserMistake(f"--class {clean(part)}: there is no such class; it knows {known}")
    return list(range(ends[0], ends[1] + 1))


def _label(name: str, names: tuple[str, ...]) -> int | None:
    """The label of a class by its name, or else by its number."""
    if name in names:
        return names.index(name)
    number = int(name) if name.isascii() and name.isdigit() and len(name) < 6 else -1
    return number if 0 <= number < len(names) else None
