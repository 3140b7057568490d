"""No augmentation: D sees samples as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass(frozen=True)
class NoAugment:
    """D sees samples as they are, as in Goodfellow et al. 2014, arXiv 1406.2661.

    Needs: nothing.

    Trouble: on few data D learns them by heart, and answers new real samples like fakes:
    `augment=diffaugment` or `augment=ada` for images, `penalty=lecam` for anything. On data without
    overlap with the fakes it becomes sure of itself: `augment=instance_noise`.
    """

    moves: ClassVar[bool] = False

    def __call__(self, x: Tensor) -> Tensor:
        """The samples, `(N, …) -> (N, …)`."""
        return x

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Nothing is refused."""
        return None
