"""Augmentations: what D sees samples through, real and fake alike."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Augment(Protocol):
    """A random change of samples that stands between them and D; G learns through it."""

    def __call__(self, x: Tensor) -> Tensor:
        """What D sees of samples, `(N, …) -> (N, …)`; its gradient in x reaches G."""
        ...

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Why samples of this shape can't go through, and what to type instead; None if fine."""
        ...
