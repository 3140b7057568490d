"""Consistency regularisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gan_cli.penalty import Seen, check_weight
from gan_cli.penalty.view import another_view, check_view


@dataclass(frozen=True)
class Consistency:
    """λ (D(T(x)) - D(x))² at real samples x, T a change that leaves a sample as real as it was.

    Zhang et al. 2019, arXiv 1910.12027 (CR-GAN): λ = 10, T a shift by a few pixels and a flip.
    Here an image is shifted by up to `shift` of its side each way, 4 of 32 pixels as in the paper,
    its border repeated. `mirror` flips every other image; it is off, since mirrored digits and
    letters are no digits and letters. A point gets Gaussian noise of std `jitter`, in the data's
    units.

    Needs: data that T leaves real: penalty.cr.mirror=true for photographs, a jitter well below the
    data's smallest detail for points. Holds no slope: loss=wgan wants a penalty or a constraint
    besides.
    Trouble: samples that look shifted or noisy: G has learnt that D forgives it (penalty=bcr asks
    the same of fakes).
    """

    holds: ClassVar[bool] = False

    weight: float = 10.0
    shift: float = 0.125
    mirror: bool = False
    jitter: float = 0.05
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)
        check_view(self.shift, self.jitter)

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each real sample, `(N,)`."""
        view = another_view(seen.real.x, self.shift, self.mirror, self.jitter)
        x, c = seen.real.x, seen.real.c
        # D is asked again rather than taken at its word: that may be of less precision
        return self.weight * (seen.D(view, c) - seen.D(x, c)).square()

    def refuses(self, D: nn.Module) -> str | None:
        """Nothing is refused: no gradient is measured, so batch norm does no harm."""
        return None
