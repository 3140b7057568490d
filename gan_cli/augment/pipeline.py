"""Transformations at a fixed probability."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gan_cli.augment import check_words, only_images
from gan_cli.augment.transforms import USUAL, WORDS, displaces, transformed


@dataclass(frozen=True)
class Pipeline:
    """What D sees is transformed with a probability p that is given, real and fake alike.

    The transformations of augment=ada (Karras et al. 2020, arXiv 2006.06676, appendix B) without
    its feedback: for a loss whose outputs say little about how sure D is, or a p that is annealed
    by hand, as in Huang et al. 2024, arXiv 2501.05441 (R3GAN).

    Needs: images, and a p well below 1: above 0.8 transformed images leak into the samples.

    Trouble: D learns few data by heart all the same: a larger augment.p, or augment=ada. Many data
    and slow learning: a smaller one, or a p that grows: augment.p=0.0
    +anneal.to.augment.p=0.3.
    """

    p: float = 0.3
    transforms: tuple[str, ...] = USUAL

    def __post_init__(self) -> None:
        check_words("transforms", self.transforms, WORDS)
        if not 0 <= self.p <= 1:
            raise ValueError(f"p is a probability, from 0 to 1, not {self.p}")

    @property
    def moves(self) -> bool:
        """Whether a transformation moves pixels."""
        return displaces(self.transforms)

    def __call__(self, x: Tensor) -> Tensor:
        """Images as D sees them, `(N, C, H, W) -> (N, C, H, W)`."""
        return transformed(x, self.p, self.transforms)

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Anything but an image is refused."""
        return only_images(shape, "pipeline changes the places and colours of")
