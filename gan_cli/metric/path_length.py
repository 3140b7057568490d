"""How far samples move when their codes do: perceptual path length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli.metric import Estimate, Exam, Figure, Maker, Sight, Untrue, needs
from gan_cli.prior.layout import Coded
from gan_cli.randomness import generator

KEPT = 0.01, 0.99
"""The quantiles between which lengths count."""

UNEVEN = 1.25
"""How far lengths at a step and at twice the step may be apart, as a factor."""

CHUNK = 64
"""Paths that are walked at once."""


@dataclass(frozen=True)
class PathLength:
    """The squared distance of features over ε², along arcs between random codes: how smooth G is.

    Karras et al. 2019, arXiv 1812.04948, section 4.1, in Z and over the full path: a place t on the
    spherical path between two codes and another at t + ε; the mean without the least and greatest
    1 %. Two things differ. The distance is that of the extractor's features, not of VGG's with
    LPIPS's weights, so lengths compare between runs with one extractor and not with the paper. And
    ε is 1e-3 where the paper has 1e-4: in float32 rounding weighs a hundredth so much, and the path
    is as straight.

    Needs: the generator itself, of codes that are normal or uniform, and an extractor.
    Trouble: refused because lengths depend on the step: the extractor rounds images to 255 shades,
    or G has jumps; extractor=raw or random, or a larger epsilon. Long paths of a good generator:
    classes lie apart, which is no fault; term=path_length of model=stylegan2 shortens them.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "path_length": Figure("perceptual path length", -1, low=0)
    }

    samples: int = 1000
    epsilon: float = 0.001

    def __post_init__(self) -> None:
        needs.check_counts(samples=self.samples)
        if self.samples < 10:
            raise ValueError(f"a path length takes 10 samples or more, not {self.samples}")
        if not 0 < self.epsilon <= 0.1:
            raise ValueError(f"epsilon is above 0 and at most 0.1, not {self.epsilon}")

    def refuses(self, exam: Exam) -> str | None:
        """Samples without their generator, answers to images, and categories are refused."""
        space = getattr(exam.maker, "space", None)
        if exam.maker is None:
            return "it moves through codes, and these samples come without a generator: --ckpt"
        if exam.truth is not None or getattr(space, "given", None):
            return "it moves from code to code, and this generator answers images: metric=answer"
        if isinstance(getattr(exam.maker, "prior", None), Coded):
            return "its codes are categories too, and nothing lies between these: prior=normal"
        return needs.features(exam)

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """The mean length."""
        assert exam.maker is not None
        length = path_lengths(exam.maker, exam.fake, self.samples, self.epsilon, exam.seed)
        low, high = length.quantile(torch.tensor(KEPT, dtype=length.dtype))
        return {"path_length": needs.mean(length[(length >= low) & (length <= high)])}


def path_lengths(maker: Maker, sight: Sight, samples: int, epsilon: float, seed: int) -> Tensor:
    """|f(G(t + ε)) - f(G(t))|²/ε² of random paths, `(samples,)`.

    Both ends of a path are of one class. f are the features of the sight's extractor. Untrue where
    those of the first paths depend on ε.
    """
    t = torch.rand(samples, 1, generator=generator("path_length", seed), dtype=torch.float64)
    lengths = []
    for start in range(0, samples, CHUNK):
        numbers = range(start, min(start + CHUNK, samples))
        a = maker.codes(numbers, seed).double()
        b = maker.codes(range(samples + numbers.start, samples + numbers.stop), seed).double()
        c, at = maker.labels(numbers), t[numbers.start : numbers.stop]
        arc = _Arc(maker, sight, a, b, c)
        here = arc(at)
        lengths.append((arc(at + epsilon) - here).square().sum(1) / epsilon**2)
        if start == 0:
            twice = (arc(at + 2 * epsilon) - here).square().sum(1) / (2 * epsilon) ** 2
            _check_even(lengths[0], twice)
    return torch.cat(lengths)


class _Arc(NamedTuple):
    """Features of what a generator makes between two sets of codes."""

    maker: Maker
    sight: Sight
    a: Tensor
    b: Tensor
    c: Tensor | None

    def __call__(self, t: Tensor) -> Tensor:
        x = self.maker.generate(slerp(self.a, self.b, t).float(), self.c)
        return needs.seen(Sight(x, None, self.sight.extractor))


def _check_even(length: Tensor, twice: Tensor) -> None:
    """Raise Untrue unless lengths at a step are those at twice the step."""
    ratio = float(length.mean() / twice.mean()) if bool(twice.any()) else 1.0
    if not 1 / UNEVEN <= ratio <= UNEVEN:
        raise Untrue(
            f"the length at half the step is {ratio:.3g} times as large: samples or features "
            "move in jumps; extractor=raw or random, or a larger epsilon"
        )


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Along the arc from a to b, `(N, d), (N, d), (N, 1) -> (N, d)`; a line where there is none.

    Shoemake 1985, Animating rotation with quaternion curves: the angle is walked evenly.
    """
    cosine = (a * b).sum(1, keepdim=True) / (a.norm(dim=1) * b.norm(dim=1))[:, None].clamp(
        min=1e-12
    )
    angle = cosine.clamp(-1, 1).arccos()
    sine = angle.sin()
    straight = sine < 1e-6
    safe = torch.where(straight, 1.0, sine)
    first = torch.where(straight, 1 - t, ((1 - t) * angle).sin() / safe)
    second = torch.where(straight, t, (t * angle).sin() / safe)
    return first * a + second * b
