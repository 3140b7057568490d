"""Transformations of images, each applied to a sample with the same probability.

Those of Karras et al. 2020, arXiv 2006.06676, appendix B, in its order and with its strengths; the
paper filters images as it resamples them, where here neighbours are interpolated. All that is done
to places is composed into one affine map, all that is done to colours into another, so pixels are
read once. With a probability of 0 both maps are the identity, and images come out as they went in,
bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gan_cli import dist

USUAL = (
    *("shift", "scale", "rotate", "stretch", "move"),
    *("brightness", "contrast", "hue", "saturation"),
)
"""All but what a drawing or a letter may not suffer: mirrors, quarter turns, negatives."""

SHIFT = 0.125
"""Of a side: the longest shift, and the standard deviation of a move."""

SCALE, BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.2, 0.5, 1.0
"""Standard deviations: of brightness itself, and of the others' logarithms to base 2."""


def transformed(x: Tensor, p: float | Tensor, words: tuple[str, ...]) -> Tensor:
    """Images after each named transformation, each with probability p for each sample.

    `(N, C, H, W), () -> (N, C, H, W)`, p in [0, 1]. The gradient in x can be taken twice.
    """
    draws = Draws(x, p)
    if places := [way for word, way in PLACES if word in words]:
        x = resampled(x, composed(places, draws, 3))
    if colors := [way for word, way in COLORS if word in words]:
        x = recolored(x, composed(colors, draws, x.shape[1] + 1))
    return x


def displaces(words: tuple[str, ...]) -> bool:
    """Whether one of these words moves pixels."""
    return any(word in words for word, _ in PLACES)


class Draws:
    """The random numbers of one batch of images, in float32."""

    def __init__(self, x: Tensor, p: float | Tensor):
        if not isinstance(p, Tensor):  # as_tensor(p, device=…) would wait for a GPU
            p = torch.full((), float(p), device=x.device)
        self.p = p.to(x.device)
        self.n, self.channels, self.height, self.width = x.shape
        self.device = x.device

    def own(self, draw: Callable[[int], Tensor]) -> Tensor:
        """What is drawn for each of these images, the last dimension of what `draw` gives."""
        return dist.own(draw, self.n, dim=-1)

    def uniform(self, *shape: int) -> Tensor:
        """From -1 to 1, `(*shape, N)`."""
        return 2 * self.own(lambda n: torch.rand(*shape, n, device=self.device)) - 1

    def normal(self, *shape: int) -> Tensor:
        """With variance 1, `(*shape, N)`."""
        return self.own(lambda n: torch.randn(*shape, n, device=self.device))

    def below(self, count: int) -> Tensor:
        """Whole numbers from 0 to below count, `(N,)`."""
        return self.own(lambda n: torch.randint(count, (n,), device=self.device))

    def chosen(self, values: Tensor, rest: float, p: Tensor | None = None) -> Tensor:
        """The values where a sample is transformed, `rest` where not, `(…, N) -> (…, N)`."""
        drawn = self.own(lambda n: torch.rand(n, device=self.device)) < (self.p if p is None else p)
        return torch.where(drawn, values, torch.full_like(values, rest))

    def identity(self, size: int) -> Tensor:
        """As many unit matrices, `(N, size, size)`."""
        return torch.eye(size, device=self.device).repeat(self.n, 1, 1)


def composed(ways: list[Callable[[Draws], Tensor]], draws: Draws, size: int) -> Tensor:
    """The product of the matrices that were drawn, the first on the left, `(N, size, size)`."""
    product = draws.identity(size)
    for way in ways:  # by hand: a matrix product may be of less precision
        product = (product[:, :, :, None] * way(draws)[:, None, :, :]).sum(2)
    return product


# Where each place of the outcome comes from: across and down from the middle, in pixels. So these
# are the inverses of what happens to the image, in the order in which it happens.


def _mirror(draws: Draws) -> Tensor:
    """Left to right, half of those that are drawn."""
    return _scaled(draws, draws.chosen(1.0 - 2.0 * draws.below(2), 1), 1)


def _turn(draws: Draws) -> Tensor:
    """By none to three quarters."""
    quarters = draws.chosen(draws.below(4).float(), 0)
    cos = (quarters == 0).float() - (quarters == 2).float()  # exact, where cos(π/2) is not
    sin = (quarters == 1).float() - (quarters == 3).float()
    return _rotated(draws, cos, sin)


def _shift(draws: Draws) -> Tensor:
    """By whole pixels."""
    across, down = draws.chosen(SHIFT * draws.uniform(2), 0)
    return _moved(draws, (across * draws.width).round(), (down * draws.height).round())


def _scale(draws: Draws) -> Tensor:
    """Larger or smaller."""
    by = draws.chosen((SCALE * draws.normal()).exp2(), 1)
    return _scaled(draws, by, by)


def _rotate(draws: Draws) -> Tensor:
    """By any angle; one of the two rotations happens with probability p."""
    angle = draws.chosen(math.pi * draws.uniform(), 0, 1 - (1 - draws.p).clamp(0, 1).sqrt())
    return _rotated(draws, angle.cos(), angle.sin())


def _stretch(draws: Draws) -> Tensor:
    """Wider and lower, or narrower and higher."""
    by = draws.chosen((SCALE * draws.normal()).exp2(), 1)
    return _scaled(draws, by, 1 / by)


def _move(draws: Draws) -> Tensor:
    """By any part of a pixel."""
    across, down = draws.chosen(SHIFT * draws.normal(2), 0)
    return _moved(draws, across * draws.width, down * draws.height)


def _scaled(draws: Draws, across: Tensor, down: Tensor | float) -> Tensor:
    matrix = draws.identity(3)
    matrix[:, 0, 0], matrix[:, 1, 1] = across, down
    return matrix


def _rotated(draws: Draws, cos: Tensor, sin: Tensor) -> Tensor:
    matrix = draws.identity(3)
    matrix[:, 0, 0], matrix[:, 0, 1] = cos, -sin
    matrix[:, 1, 0], matrix[:, 1, 1] = sin, cos
    return matrix


def _moved(draws: Draws, across: Tensor, down: Tensor) -> Tensor:
    matrix = draws.identity(3)
    matrix[:, 0, 2], matrix[:, 1, 2] = across, down
    return matrix


PLACES: list[tuple[str, Callable[[Draws], Tensor]]] = [
    *[("mirror", _mirror), ("turn", _turn), ("shift", _shift), ("scale", _scale)],
    *[("rotate", _rotate), ("stretch", _stretch), ("rotate", _rotate), ("move", _move)],
]
"""What is done to places, in order; rotated once before the stretch and once after."""


# What becomes of a colour: homogeneous matrices, the last to be applied on the left.


def _brightness(draws: Draws) -> Tensor:
    """Lighter or darker."""
    matrix = draws.identity(draws.channels + 1)
    matrix[:, :-1, -1] = draws.chosen(BRIGHTNESS * draws.normal(), 0)[:, None]
    return matrix


def _contrast(draws: Draws) -> Tensor:
    """Away from mid-grey, or towards it."""
    matrix = draws.identity(draws.channels + 1)
    by = draws.chosen((CONTRAST * draws.normal()).exp2(), 1)
    matrix[:, :-1, :-1] *= by[:, None, None]
    return matrix


def _invert(draws: Draws) -> Tensor:
    """Light to dark at the same hue, half of those that are drawn."""
    return _beside_grey(draws, draws.chosen(1.0 - 2.0 * draws.below(2), 1), along=True)


def _saturation(draws: Draws) -> Tensor:
    """More or less colourful; one channel has no colour."""
    by = draws.chosen((SATURATION * draws.normal()).exp2(), 1)
    return _beside_grey(draws, by, along=False)


def _beside_grey(draws: Draws, by: Tensor, along: bool) -> Tensor:
    """Scales a colour's grey part (along) or the rest of it."""
    matrix = draws.identity(draws.channels + 1)
    unit = torch.eye(draws.channels, device=draws.device)
    grey = torch.full_like(unit, 1 / draws.channels)
    part = grey if along else unit - grey
    matrix[:, :-1, :-1] += (by - 1)[:, None, None] * part
    return matrix


def _hue(draws: Draws) -> Tensor:
    """Colours turned around the axis of greys; only of three channels."""
    matrix = draws.identity(draws.channels + 1)
    angle = draws.chosen(math.pi * draws.uniform(), 0)[:, None, None]
    if draws.channels == 3:
        unit = torch.eye(3, device=draws.device)
        cross = (unit.roll(1, 0) - unit.roll(2, 0)) / math.sqrt(3)
        matrix[:, :3, :3] += angle.sin() * cross + (1 - angle.cos()) * (1 / 3 - unit)
    return matrix


COLORS: list[tuple[str, Callable[[Draws], Tensor]]] = [
    *[("saturation", _saturation), ("hue", _hue), ("invert", _invert)],
    *[("contrast", _contrast), ("brightness", _brightness)],
]
"""What is done to colours, the last one first."""

WORDS = tuple(dict.fromkeys(word for word, _ in (*PLACES, *reversed(COLORS))))
"""All there is, in the order in which it is applied."""


def recolored(x: Tensor, matrix: Tensor) -> Tensor:
    """Images whose colours went through homogeneous matrices, `(N, C, H, W), (N, C+1, C+1)`."""
    matrix = matrix.to(x.dtype)[:, :, :, None, None]
    outcome = matrix[:, :-1, -1]
    for channel in range(x.shape[1]):  # in full precision, whatever matrix products are in
        outcome = outcome + matrix[:, :-1, channel] * x[:, channel : channel + 1]
    return outcome


def resampled(x: Tensor, matrix: Tensor) -> Tensor:
    """Images read at other places, between pixels if need be, mirrored beyond their sides.

    `(N, C, H, W), (N, 3, 3) -> (N, C, H, W)`: a place of the outcome, in pixels across and down
    from the middle, comes from where the matrix takes it.
    """
    n, channels, height, width = x.shape
    down, across = torch.meshgrid(
        torch.arange(height, device=x.device) - (height - 1) / 2,
        torch.arange(width, device=x.device) - (width - 1) / 2,
        indexing="ij",
    )
    place = [m[:, :, None] for m in matrix.unbind(2)]
    origin = place[0] * across.flatten() + place[1] * down.flatten() + place[2]
    columns, right = _neighbours(origin[:, 0], width)
    rows, lower = _neighbours(origin[:, 1], height)
    pixels, outcome = x.flatten(2), torch.zeros_like(x).flatten(2)
    for row, vertical in zip(rows, (1 - lower, lower), strict=True):
        for column, horizontal in zip(columns, (1 - right, right), strict=True):
            index = (row * width + column)[:, None].expand(n, channels, height * width)
            share = (vertical * horizontal)[:, None].to(x.dtype)
            outcome = outcome + share * pixels.gather(2, index)
    return outcome.view(x.shape)


def _neighbours(origin: Tensor, side: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """The two pixels around a place of a mirrored side, and the share of the second.

    A place is in pixels from the middle; a side is mirrored at the outer edge of its last pixels.
    """
    edge = (origin + side / 2).remainder(2 * side)
    place = torch.minimum(edge, 2 * side - edge) - 0.5
    first = place.floor()
    pair = (first.long().clamp(0, side - 1), (first.long() + 1).clamp(0, side - 1))
    return pair, place - first
