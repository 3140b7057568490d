"""What the page is answered with: samples of a seed, moved along directions of z, as they are."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_cli import __version__, randomness
from gan_cli.directions import Directions, directions
from gan_cli.errors import BadFile, UserMistake
from gan_cli.model import Generator
from gan_cli.page.order import Order
from gan_cli.plot import grid
from gan_cli.prior.layout import Coded, Layout
from gan_cli.reply import decoded
from gan_cli.sampler import BLOCK, Sampler
from gan_cli.strict import clean

SLIDERS = 10
"""Principal directions that there are sliders for."""

NUMBERS = 1 << 24
"""Numbers in all samples of one picture, at most."""

KEPT = 8
"""Pictures sent by the user that are remembered."""

VIEWS = (1, 16, 64)
"""Images side by side."""

POINTS = 2048
"""Points in a plot."""


class Given(NamedTuple):
    """A picture to be answered: the condition `(1, …)`, and which directions matter for it."""

    c: Tensor
    directions: Directions


class Studio:
    """A generator, and what the page can ask of it. Not for several threads at once.

    Raises UserMistake for a generator whose samples no page can show.
    """

    def __init__(self, sampler: Sampler, name: str):
        self.sampler, self.name = sampler, name
        self._given: OrderedDict[str, Given] = OrderedDict()
        self._check()
        asked = sampler.space.given is not None
        self._directions = None if asked else directions(sampler, SLIDERS)

    @property
    def image(self) -> bool:
        """Whether samples are images; else they are points."""
        return len(self.sampler.space.shape) == 3

    def about(self) -> dict[str, Any]:
        """What the page has to know, as plain JSON."""
        sampler, space = self.sampler, self.sampler.space
        layout = sampler.prior.layout if isinstance(sampler.prior, Coded) else Layout((), 0)
        size = math.prod(space.shape)
        return {
            "name": self.name,
            "model": _family(sampler),
            "step": sampler.step,
            "weights": sampler.origin.weights,
            "shape": list(space.shape),
            "classes": list(space.classes),
            "z": sampler.generator.z_dim,
            "shares": self.shares(),
            "categories": list(layout.categories),
            "continuous": layout.continuous,
            "psi": hasattr(sampler.generator, "psi"),
            "given": list(space.given or ()),
            "whole": space.given is not None and space.shape[0] >= sampler.data[0],
            "views": [n for n in VIEWS if n * size <= NUMBERS] if self.image else [POINTS],
            "frame": [] if self.image else self._frame(),
        }

    def shares(self, given: str = "") -> list[float]:
        """How much of the response each direction makes up; none while there is nothing to do."""
        found = self._directions_of(given)
        return [] if found is None else [round(share, 4) for share in found.shares]

    def codes(self, order: Order) -> list[float]:
        """The latent code of the first sample, number by number, before anything is moved."""
        code = self.sampler.codes(range(order.first, order.first + 1), order.seed)[0]
        return [round(number, 6) for number in code.tolist()]

    def draw(self, order: Order) -> Tensor:
        """The samples `(n, …)`; UserMistake for what this generator has not."""
        if order.n * math.prod(self.sampler.space.shape) > NUMBERS:
            raise UserMistake("so many samples of this size are too many for one picture")
        z, c = self._moved(order), self._condition(order)
        if order.psi != 1 or hasattr(self.sampler.generator, "psi"):
            self.sampler.truncate(order.psi)
        return torch.cat([self.sampler.generate(*pair) for pair in _blocks(z, c)])

    def picture(self, order: Order) -> bytes:
        """The samples as a PNG without gaps, each pixel a pixel, in rows of ⌈√n⌉."""
        tiles = grid.pixels(self.draw(order))
        n, height, width, channels = tiles.shape
        columns = math.ceil(math.sqrt(n))
        rows = math.ceil(n / columns)
        sheet = tiles.repeat(1, 0)
        sheet.resize((rows * columns, height, width, channels), refcheck=False)
        sheet = sheet.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
        return grid.png(sheet.reshape(rows * height, columns * width, channels), {}, grid.QUICKEST)

    def keepsake(self, order: Order) -> bytes:
        """The same as a PNG to keep: a grid, enlarged, that says where it comes from."""
        origin = self.sampler.origin
        told = {
            "latent": order.words(),
            "checkpoint": origin.sha256,
            "step": str(origin.step),
            "weights": origin.weights,
            "gan": __version__,
        }
        return grid.png(grid.grid(self.draw(order)), told)

    def points(self, order: Order) -> list[list[float]]:
        """The samples as numbers."""
        return [[float(f"{v:.5g}") for v in point] for point in self.draw(order).tolist()]

    def give(self, picture: bytes, whole: bool) -> str:
        """Remember a picture to be answered, and return its name.

        `whole`: it is what an answer should be like, and the input is made of it as in training.
        UserMistake or BadFile when it can't be read, or nothing is to be answered.
        """
        sampler, space = self.sampler, self.sampler.space
        if space.given is None or sampler.task is None:
            raise UserMistake("this generator is given no picture")
        if whole and space.shape[0] < sampler.data[0]:
            raise UserMistake("this generator continues frames: send those before, side by side")
        seen = sampler.task.seen(torch.zeros(1, *space.given)).shape[1:]
        x = _read(picture, sampler.data if whole else tuple(seen))
        generator = randomness.generator("pair", 0)
        c = sampler.task.pair(x, generator).c if whole else sampler.task.read(x)
        assert c is not None
        name = hashlib.sha256(bytes([whole]) + picture).hexdigest()[:16]
        if name not in self._given:
            self._given[name] = Given(c, directions(sampler, SLIDERS, c))
        self._given.move_to_end(name)
        while len(self._given) > KEPT:
            self._given.popitem(last=False)
        return name

    def seen(self, given: str) -> bytes:
        """The input that a picture became, as a PNG."""
        assert self.sampler.task is not None or given not in self._given
        c = self._find(given).c
        task = self.sampler.task
        return grid.png(grid.opaque(grid.pixels(task.seen(c) if task else c))[0], {})

    def _check(self) -> None:
        shape = self.sampler.space.shape
        if self.image and not 1 <= shape[0] <= 4:
            raise UserMistake(
                f"images of {shape[0]} channels can't be shown: gan sample --out FILE.npz"
            )
        if not self.image and shape[0] > 2:
            raise UserMistake(
                f"points of {shape[0]} numbers can't be shown: gan sample --out FILE.npz"
            )

    def _moved(self, order: Order) -> Tensor:
        z = self.sampler.codes(range(order.first, order.first + order.n), order.seed)
        for index, amount in order.z:
            if index >= z.shape[1]:
                raise UserMistake(f"z has {z.shape[1]} numbers, 0 to {z.shape[1] - 1}")
            z[:, index] = amount
        found = self._directions_of(order.given)
        for index, amount in order.move:
            if found is None or index >= len(found.vectors):
                raise UserMistake(f"there is no direction {index}")
            z = z + amount * found.vectors[index]
        return z

    def _directions_of(self, given: str) -> Directions | None:
        return self._find(given).directions if given else self._directions

    def _condition(self, order: Order) -> Tensor | None:
        space = self.sampler.space
        if space.given:
            c = self._find(order.given).c
            return c.expand(order.n, *c.shape[1:])
        if order.given:
            raise UserMistake("this generator is given no picture")
        if order.label is None:
            return self.sampler.labels(range(order.first, order.first + order.n))
        if order.label >= len(space.classes):
            raise UserMistake(f"there is no class {order.label}")
        return torch.full((order.n,), order.label)

    def _find(self, given: str) -> Given:
        if given not in self._given:
            raise UserMistake("choose a picture to be answered first")
        self._given.move_to_end(given)
        return self._given[given]

    def _frame(self) -> list[float]:
        """Left, right, bottom and top of a plot that most points stay inside of."""
        points = self.draw(Order(n=POINTS))
        low, high = points.min(0).values, points.max(0).values
        margin = float((high - low).max()) * 0.25 or 1.0
        if len(low) == 1:
            return [float(low) - margin, float(high) + margin, 0.0, 1.0]
        half = float((high - low).max()) / 2 + margin
        x, y = ((low + high) / 2).tolist()
        return [x - half, x + half, y - half, y + half]


def _blocks(z: Tensor, c: Tensor | None) -> list[tuple[Tensor, Tensor | None]]:
    parts = z.split(BLOCK)
    return list(zip(parts, [None] * len(parts) if c is None else c.split(BLOCK), strict=True))


def _family(sampler: Sampler) -> str:
    """The model's name: the file that G, or the G inside a condition, is from."""
    found = [type(m).__module__ for m in sampler.generator.modules() if isinstance(m, Generator)]
    own = [name.rpartition(".")[2] for name in found if not name.startswith("gan_cli.condition")]
    return clean(own[0], 60) if own else ""


def _read(picture: bytes, shape: tuple[int, ...]) -> Tensor:
    """A user's picture, `(1, C, H, W)`, by the reader of `gan sample --input`."""
    with tempfile.TemporaryDirectory(prefix="gan-serve-") as folder:
        path = Path(folder) / "picture"
        path.write_bytes(picture)
        try:
            return decoded([path], shape)
        except (BadFile, UserMistake) as error:
            raise BadFile(str(error).replace(clean(path), "the picture")) from error
