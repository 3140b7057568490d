"""Adaptive discriminator augmentation."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gan_cli.augment import check_words, only_images
from gan_cli.augment.transforms import USUAL, WORDS, displaces, transformed
from gan_cli.memory import scalar


def _nothing() -> dict[str, Tensor]:
    names = ("p", "sign", "_said", "_images", "_updates")
    return {name: scalar(0) for name in names}


@dataclass(frozen=True)
class ADA:
    """What D sees is transformed with a probability p that rises while D learns data by heart.

    Karras et al. 2020, arXiv 2006.06676, sections 2 and 3. Each of `transforms` is applied to a
    sample with probability p, real and fake alike. The sign of D's outputs on real samples, a mean
    over `every` of D's updates, tells how sure D is (equation 1, r_t): above `target`, p goes up
    by the images since then over kimg·1000, below it down, from 0 to `most`. Both p and the sign
    are logged, and kept with the run. Below a p of 0.8 or so, what is done to images does not leak
    into samples (section 2.2): each transformation leaves enough of them alone for G to tell. The
    `transforms` here are the paper's `bgc` without mirror, turn and invert, which are to be had
    too; places are interpolated, not filtered.

    Needs: images, and D's zero where it can't tell: augment.border=0.5 for loss=lsgan, and
    augment.border=null (the sign of D(x) - D(G(z))) for losses that compare, and critics.
    Photographs: augment=ada_photo, which mirrors, turns and inverts too.

    Trouble: p at `most` and D/real still far above D/fake: more data, penalty=lecam, or a smaller
    D. A short run ends before p gets anywhere: augment.kimg=100. Rotated or grey samples: a
    smaller augment.most.
    """

    transforms: tuple[str, ...] = USUAL
    target: float = 0.6
    every: int = 4
    kimg: float = 500.0
    most: float = 0.8
    border: float | None = 0.0
    memory: dict[str, Tensor] = field(
        init=False, repr=False, compare=False, default_factory=_nothing
    )

    def __post_init__(self) -> None:
        check_words("transforms", self.transforms, WORDS)
        if not -1 < self.target < 1:
            raise ValueError(f"target is a mean of signs, between -1 and 1, not {self.target}")
        if self.every < 1:
            raise ValueError(f"every is a number of D's updates, 1 or more, not {self.every}")
        if not self.kimg > 0:
            raise ValueError(f"kimg is in thousands of images, above 0, not {self.kimg}")
        if not 0 < self.most <= 1:
            raise ValueError(f"most is a probability, above 0 and up to 1, not {self.most}")

    @property
    def moves(self) -> bool:
        """Whether a transformation moves pixels."""
        return displaces(self.transforms)

    def __call__(self, x: Tensor) -> Tensor:
        """Images as D sees them at today's p, `(N, C, H, W) -> (N, C, H, W)`."""
        return transformed(x, self.memory["p"], self.transforms)

    def remember(self, d_real: Tensor, d_fake: Tensor) -> None:
        """Hear D's outputs on a batch, `(N,), (N,)`; every few updates p makes its move."""
        old = {key: value.to(d_real.device) for key, value in self.memory.items()}
        against = d_fake if self.border is None else self.border
        said = old["_said"] + (d_real - against).detach().float().sign().sum()
        images, updates = old["_images"] + len(d_real), old["_updates"] + 1
        due = updates >= self.every
        sign = torch.where(due, said / images, old["sign"])
        step = (sign - self.target).sign() * images / (1000 * self.kimg)
        p = torch.where(due, (old["p"] + step).clamp(0, self.most), old["p"])
        left = {"_said": said, "_images": images, "_updates": updates}
        new = {"p": p, "sign": sign} | {key: value * ~due for key, value in left.items()}
        self.memory.update(new)

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Anything but an image is refused."""
        return only_images(shape, "ada changes the places and colours of")

    def refuses_border(self, border: float | None) -> str | None:
        """A border that isn't that of D's outputs under this loss."""
        if border is None and self.border is not None:
            return (
                "it goes by the sign of D's outputs, which says nothing under this loss; compared "
                "with those on fakes it does: augment.border=null"
            )
        if border is None or self.border is None or abs(border - self.border) < NEAR:
            return None
        return (
            f"under this loss D's output is {border:g} where it can't tell, not {self.border:g}: "
            f"augment.border={border:g}"
        )


NEAR = 0.3
"""Borders as close as this are one: label smoothing moves it by 0.2."""
