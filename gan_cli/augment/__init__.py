"""Augmentations: what D sees samples through, real and fake alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


class Augment(Protocol):
    """A random change of samples that stands between them and D; G learns through it.

    It draws from the global generator of the samples' device, which is seeded anew every step.
    """

    @property
    def moves(self) -> bool:
        """Whether pixels change their places, so that x no longer fits an image it belongs to."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """What D sees of samples, `(N, …) -> (N, …)`; its gradient in x reaches G."""
        ...

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Why samples of this shape can't go through, and what to type instead; None if fine."""
        ...


@runtime_checkable
class Listens(Protocol):
    """An augmentation that follows how sure D is of real samples."""

    def refuses_border(self, border: float | None) -> str | None:
        """Why it misunderstands a D whose output is `border` where real and fake are as likely.

        None stands for outputs without such a border, as those of a critic. What comes back says
        what to type instead, or is None.
        """
        ...


def check_words(name: str, words: Sequence[str], known: Collection[str]) -> None:
    """Raise ValueError unless it is a list of one or more of the known words."""
    can = ", ".join(known)
    if isinstance(words, str):
        raise ValueError(f"{name} is a list, as [{words}], of {can}")
    if not words:
        raise ValueError(f"{name} is empty: some of {can}, or augment=none")
    for word in words:
        if word not in known:
            raise ValueError(f"{name} has some of {can}, not {word}")


def only_images(shape: tuple[int, ...], what: str) -> str | None:
    """The refusal of samples that are no images."""
    if len(shape) == 3:
        return None
    return f"{what} images, and a sample here has shape {tuple(shape)}: augment=instance_noise"
