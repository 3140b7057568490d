"""A film of samples along a closed way through latent codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli import paths
from gan_cli.errors import UserMistake
from gan_cli.plot import grid, video
from gan_cli.sampler import Sampler
from gan_cli.strict import clean
from gan_cli.wish import Wish, about, check_images, in_turn, named, place, put, spelt

CODES = 5
"""Seeds that a walk goes through, unless they are named."""

GRID = (3, 3)
"""Walks beside one another, unless seeds are named."""

FPS = 24


@dataclass(frozen=True)
class Walk:
    """Where a walk goes, and how fast: `seeds` in order and back to the first.

    The i-th walk of a picture goes through the i-th sample of each seed. `spherical`: None for what
    suits the prior.
    """

    seeds: Sequence[int] | None = None
    frames: int = 120
    fps: int = FPS
    spherical: bool | None = None

    def __post_init__(self) -> None:
        if self.seeds is not None and len(set(self.seeds)) < 2:
            raise UserMistake("--walk --seeds: two seeds or more, such as 1,5,9")


def walk(wish: Wish, sampler: Sampler, asked: Walk) -> str:
    """Write the film, and return a line about it. Raises UserMistake."""
    check_images(sampler, "--walk")
    rows, columns = wish.grid or ((1, 1) if asked.seeds else GRID)
    channels, height, width = sampler.space.shape
    grid.check_channels(channels)
    scale = wish.scale or grid.default_scale(height, width, columns)
    detail = f"-walk{named(spelt(asked.seeds))}" if asked.seeds else "-walk"
    out = place(wish, sampler, video.suffix(), detail, video.KINDS)
    video.check(out.suffix.lower(), asked.frames * rows * columns * height * width * scale**2)
    seeds = asked.seeds or range(wish.seed, wish.seed + CODES)
    z = codes(sampler, seeds, rows * columns, asked)
    labels = in_turn(wish, sampler, rows * columns)
    frames = (grid.grid(x, columns, scale) for x in _pictures(sampler, z, labels, wish.batch))
    data, kind = video.film(
        frames, out.suffix.lower(), video.Clip(asked.fps, 0, about(wish, sampler))
    )
    put(out, data)
    through = ", ".join(map(str, seeds[:8])) + (", …" if len(seeds) > 8 else "")
    return (
        f"{clean(out, 4096)}: {kind}, {asked.frames} frames at {asked.fps} a second, "
        f"{rows}x{columns} walks through seeds {through}"
    )


def codes(sampler: Sampler, seeds: Sequence[int], count: int, asked: Walk) -> Tensor:
    """The codes of each frame, `(frames, count, z_dim)`."""
    knots = torch.stack([sampler.codes(range(count), seed) for seed in seeds])
    spherical = True if asked.spherical is None else asked.spherical
    each = [paths.loop(sampler.prior, knots[:, i], asked.frames, spherical) for i in range(count)]
    return torch.stack(each, 1)


def _pictures(sampler: Sampler, z: Tensor, labels: Tensor | None, batch: int) -> Iterator[Tensor]:
    """The samples of each frame, `(count, C, H, W)`, some frames computed at a time."""
    count = z.shape[1]
    for some in z.split(max(1, batch // count)):
        asked = None if labels is None else labels.repeat(len(some))
        yield from sampler.generate(some.flatten(0, 1), asked).split(count)
