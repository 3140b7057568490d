"""What a generator makes, and what it is given for it."""

from __future__ import annotations

from typing import NamedTuple

Shape = tuple[int, ...]
"""The shape of one sample: (channels, height, width) of an image, or (d,) of a point."""


class Space(NamedTuple):
    """Samples of a shape, and their conditions: a class of these names, or an image of a shape.

    Without classes and without `given` the generator makes what it likes. `kinds` are the names
    of labels that some samples have, and the generator is not told. Where images are not `paired`,
    the sample beside one that is given is no answer to it.
    """

    shape: Shape
    classes: tuple[str, ...] = ()
    given: Shape | None = None
    kinds: tuple[str, ...] = ()
    paired: bool = True
