"""A run's course: the samples of the same noise at every checkpoint that was kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from gan_cli.errors import BadFile, UserMistake
from gan_cli.plot import grid, labelled, video
from gan_cli.plot.grid import Pixels
from gan_cli.sampler import Sampler
from gan_cli.strict import clean
from gan_cli.wish import Wish, about, check_images, in_turn, place, put

FPS = 6
REST = 2.0
"""Seconds that the last frame stays."""

ROWS, COLUMNS = 8, 10
"""Of a picture: samples, and checkpoints at most."""

ABREAST, WIDE = 4, 320
"""Pictures that training drew, side by side at most, and their width."""

ROOM = 1 << 30
"""Bytes of pictures that training drew, at most."""

_STEP = re.compile(r"step-(\d{8,15})\.(?:safetensors|png)")

T = TypeVar("T")
Load = Callable[[Path], Sampler]


class Course(NamedTuple):
    """What a run's course is seen from: files by their step, and what was passed over."""

    found: dict[int, Path]
    drawn: bool
    """Pictures that training drew, not checkpoints."""


def timelapse(
    wish: Wish, sampler: Sampler, load: Load, fps: int, chosen: bool
) -> tuple[str, list[str]]:
    """Write it, and return a line about it, and why checkpoints were passed over.

    `load` reads a checkpoint; `chosen` says that noise or shape were asked for, which pictures that
    training drew can't give. Raises UserMistake where there is no course to be seen.
    """
    check_images(sampler, "--timelapse")
    grid.check_channels(sampler.space.shape[0])
    out = place(wish, sampler, video.suffix(), "-timelapse", video.KINDS | {".png"})
    course = _course(wish.ckpt, chosen)
    show = _drawn if course.drawn else _sampled
    return show(wish, sampler, course.found, load, out, fps)


def _course(run: Path, chosen: bool) -> Course:
    """Checkpoints where there are enough, else the pictures that were drawn in training."""
    run = run if run.is_dir() else run.parent
    run = run.parent if run == run.parent / "checkpoints" else run
    kept, drawn = _steps(run / "checkpoints"), _steps(run / "samples", ".png")
    if len(kept) > 1 and (chosen or len(kept) >= len(drawn)):
        return Course(kept, drawn=False)
    if len(drawn) > 1 and not chosen:
        return Course(drawn, drawn=True)
    raise UserMistake(
        f"--timelapse wants two checkpoints or more, and {clean(run)} holds {len(kept)}: "
        "train with keep=20 checkpoint_every=250, say"
        + ("; or leave out -n, --grid, --class and --seed" if len(drawn) > 1 else "")
    )


def _steps(folder: Path, suffix: str = ".safetensors") -> dict[int, Path]:
    names = ((_STEP.fullmatch(path.name), path) for path in folder.glob(f"step-*{suffix}"))
    return dict(sorted((int(match[1]), path) for match, path in names if match))


def _sampled(
    wish: Wish, sampler: Sampler, found: dict[int, Path], load: Load, out: Path, fps: int
) -> tuple[str, list[str]]:
    """From checkpoints: each is loaded in its turn."""
    picture = out.suffix.lower() == ".png"
    count, columns = _shape(wish, picture)
    if picture:
        found = dict(_spread(list(found.items()), wish.grid[1] if wish.grid else COLUMNS))
    labels, seen, rejected = in_turn(wish, sampler, count), {}, []
    for step, path in found.items():
        try:
            at = load(path)
        except BadFile as error:
            rejected.append(str(error))
            continue
        seen[step] = at.sample(count, wish.seed, wish.batch, labels)
    if len(seen) < 2:
        raise UserMistake(f"--timelapse: one checkpoint of {len(found)} loads; see gan sample")
    _, height, width = sampler.space.shape
    if picture:
        scale = wish.scale or grid.default_scale(height, width, len(seen))
        x = torch.stack(list(seen.values()), 1).flatten(0, 1)
        drawn = labelled.table(x, len(seen), scale, [], [f"{step:,}" for step in seen])
        put(out, grid.png(drawn, about(wish, sampler)))
        kind = "a picture"
    else:
        scale = wish.scale or grid.default_scale(height, width, columns)
        frames = {step: grid.grid(x, columns, scale) for step, x in seen.items()}
        kind = _film(wish, sampler, frames, out, fps)
    steps = f"steps {min(seen):,} to {max(seen):,}"
    return (
        f"{clean(out, 4096)}: {kind}, {count} samples at {len(seen)} checkpoints, {steps}",
        rejected,
    )


def _drawn(
    wish: Wish, sampler: Sampler, found: dict[int, Path], load: Load, out: Path, fps: int
) -> tuple[str, list[str]]:
    """From the pictures of training."""
    seen: dict[int, Pixels] = {}
    rejected = []
    for step, path in found.items():
        try:
            seen[step] = labelled.opened(str(path))
        except OSError as error:
            rejected.append(f"{clean(path)}: {error}")
        if sum(picture.nbytes for picture in seen.values()) > ROOM:
            raise UserMistake("--timelapse: what training drew is too large: train with keep=20")
    last = max(seen, default=1)
    frames = {step: p for step, p in seen.items() if p.shape == seen[last].shape}
    if len(frames) < 2:
        raise UserMistake("--timelapse: training drew no two pictures alike; train with keep=20")
    if out.suffix.lower() == ".png":
        some = {step: labelled.shrunk(p, WIDE) for step, p in _spread([*frames.items()], ABREAST)}
        row = [labelled.captioned(p, f"step {step:,}", step / last) for step, p in some.items()]
        put(out, grid.png(np.concatenate(row, axis=1), about(wish, sampler)))
        kind = "a picture"
    else:
        kind = _film(wish, sampler, frames, out, fps)
    why = "few checkpoints were kept: keep=20 keeps more"
    told = f"{clean(out, 4096)}: {kind}, {len(frames)} pictures that training drew ({why})"
    return told, rejected


def _shape(wish: Wish, picture: bool) -> tuple[int, int]:
    """How many samples, and in how many columns."""
    if picture:
        return (wish.grid[0] if wish.grid else wish.n or ROWS), 1
    rows, columns = wish.grid or (8, 8)
    if wish.n and not wish.grid:
        columns = max(1, round(wish.n**0.5))
        return wish.n, columns
    return wish.n or rows * columns, columns


def _film(wish: Wish, sampler: Sampler, frames: dict[int, Pixels], out: Path, fps: int) -> str:
    last = max(1, *frames)
    kind = out.suffix.lower()
    video.check(kind, sum(frame.size // 3 for frame in frames.values()))
    told = [labelled.captioned(p, f"step {step:,}", step / last) for step, p in frames.items()]
    data, words = video.film(told, kind, video.Clip(fps, REST, about(wish, sampler)))
    put(out, data)
    return words


def _spread(items: list[T], most: int) -> list[T]:
    """At most so many, evenly, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / max(1, most - 1))] for i in range(most)]
