"""Pictures of two kinds, with no pair among them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.dataset.source import Feed, Source, check_choice
from gan_cli.dataset.subset import of_class, subset
from gan_cli.randomness import mix
from gan_cli.space import Shape, Space
from gan_cli.strict import clean
from gan_cli.task.pictures import FromImages, check_picture, edges


def _same(x: Tensor) -> Tensor:
    return x


def _inverted(x: Tensor) -> Tensor:
    return -x


def _drawn(x: Tensor) -> Tensor:
    return (2 * edges(x)).clamp(max=1) * 2 - 1


def _mirrored(x: Tensor) -> Tensor:
    return x.flip(3)


KINDS: dict[str | None, Callable[[Tensor], Tensor]] = {
    None: _same,
    "invert": _inverted,
    "edges": _drawn,
    "mirror": _mirrored,
}
"""How the pictures of b come from those of the data: as they are, negatives, edges, mirrored."""


@dataclass(frozen=True)
class Unpaired(FromImages):
    """x are pictures of a kind b, c pictures of a kind a: which is to become which, nobody says.

    Zhu et al. 2017, arXiv 1703.10593. The kinds are two classes of the data, by name or number
    (the first two, unless `a` and `b` say); of a folder, two sub-folders. With `of`=invert, edges
    or mirror, a is every second picture as it is, and b the others so changed: then the right
    answer is known, and a result can be measured.

    Needs: method=cyclegan, and a model that makes images from images: model=unet.
    Trouble: terms that compare with a right answer (l1, l2) have none here: leave them out.
    """

    a: str | int | None = None
    b: str | int | None = None
    of: str | None = None

    def __post_init__(self) -> None:
        if self.of not in KINDS:
            check_choice("of", self.of, [*filter(None, KINDS), "null"])
        if self.of is not None and (self.a is not None or self.b is not None):
            raise ValueError("of makes both kinds from all of the data: leave out a and b")

    @property
    def known(self) -> bool:
        """Whether the right answers are: those that `of` makes."""
        return self.of is not None

    def space(self, source: Source) -> Space:
        """Pictures from pictures; ValueError where there are no two kinds."""
        self._parts(source)
        return super().space(source)._replace(paired=False)

    def take(self, source: Source) -> Source:
        """Batches of both kinds."""
        names = ("a", "b")
        if self.of is None:
            a, b = _numbers(source.classes, self.a, self.b)
            names = (source.classes[a], source.classes[b])
        return _TwoKinds(self, *self._parts(source), names)

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """The image's, twice; of edges, one channel from it."""
        check_picture(shape)
        b = KINDS[self.of](torch.zeros(1, *shape, device="meta"))
        return tuple(b.shape[1:]), shape

    def pair(self, x: Tensor, generator: torch.Generator) -> Batch:
        """Pictures as they are given, and the right answers where `of` says what these are."""
        return Batch(KINDS[self.of](x), x)

    def _parts(self, source: Source) -> tuple[Source, Source]:
        """The pictures of a, and of the data that those of b are from."""
        if self.of is not None:
            if source.length is None or source.length < 2:
                raise ValueError("it needs two images or more: dataset=mnist, or dataset=folder")
            numbers = torch.arange(source.length)
            return subset(source, numbers[::2]), subset(source, numbers[1::2])
        a, b = _numbers(source.classes, self.a, self.b)
        parts = [of_class(source, label) for label in (a, b)]
        for label, part in zip((a, b), parts, strict=True):
            if not len(part):
                raise ValueError(f"there are no images of the class {source.classes[label]}")
        return subset(source, parts[0]), subset(source, parts[1])


def _numbers(classes: tuple[str, ...], a: str | int | None, b: str | int | None) -> tuple[int, int]:
    if len(classes) < 2:
        raise ValueError(
            "it needs images of two kinds, and these have no labels: a folder with a sub-folder of "
            "each kind, or task.of=invert"
        )
    first, second = _number(classes, "a", a), _number(classes, "b", b)
    if first is None:
        first = 1 if second == 0 else 0
    if second is None:
        second = 1 if first == 0 else 0
    if first == second:
        raise ValueError(f"a and b are the same class, {classes[first]}: another task.b")
    return first, second


def _number(classes: tuple[str, ...], key: str, named: str | int | None) -> int | None:
    if named is None:
        return None
    if str(named) in classes:
        return classes.index(str(named))
    if str(named).isdecimal() and int(named) < len(classes):
        return int(named)
    raise ValueError(f"{key} is a class, by name or number: {', '.join(classes[:20])}, not {named}")


@dataclass(frozen=True, eq=False)
class _TwoKinds:
    """A source whose batches are x of one source, changed, and c of another, side by side."""

    task: Unpaired
    a: Source
    b: Source
    names: tuple[str, str]

    @property
    def shape(self) -> Shape:
        """The shape of what is made."""
        return self.task.shapes(self.b.shape)[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """None: the conditions are images."""
        return ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of both kinds, in hex."""
        told = f"{self.a.fingerprint} {self.b.fingerprint} {self.task}"
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def length(self) -> int | None:
        """How many pictures of b there are."""
        return self.b.length

    @property
    def notes(self) -> tuple[str, ...]:
        """How many there are of each kind, and how they were read."""
        a, b = map(clean, self.names)
        counted = f"unpaired: {self.a.length:,} pictures of {a}, {self.b.length:,} of {b}"
        return (counted, *self.a.notes)

    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        """Batches of both."""
        return _Both(self, batch_size, seed, device)


class _Both:
    def __init__(self, kinds: _TwoKinds, batch_size: int, seed: int, device: torch.device):
        self._change = KINDS[kinds.task.of]
        self._a = kinds.a.open(batch_size, mix("unpaired", seed), device)
        self._b = kinds.b.open(batch_size, seed, device)
        self.where = self._b.where

    def __call__(self, i: int) -> Batch:
        return Batch(self._change(self._b(i).x), self._a(i).x)
