"""The patch discriminator of pix2pix, as a family."""

from __future__ import annotations

from dataclasses import dataclass

from gan_cli.model import IMAGE_NORMS, Discriminator, Generator, Shape, check_at_least, check_choice
from gan_cli.model.patchwise import PatchDiscriminator, halves_for


@dataclass(frozen=True)
class Patch:
    """D asks of each patch of an image whether it is real; there is no G.

    Isola et al. 2016, arXiv 1611.07004, section 3.2.2 and appendix 6.1.2. It answers with a number
    a patch, and the loss is taken of each, then averaged over the patches: not the loss of a mean
    answer. With 3 `layers` of stride 2 a patch has 70×70 pixels, with 2 34×34, with 1 16×16, with
    none 7×7; on small images it has fewer of them, so that patches are no larger than the image.
    What is larger than a patch it can't see: layout and meaning are left to the condition and to a
    term (term=l1).
    """

    width: int = 64
    layers: int = 3
    d_norm: str = "batch"

    def __post_init__(self) -> None:
        check_at_least(1, width=self.width)
        check_at_least(0, layers=self.layers)
        check_choice("d_norm", self.d_norm, IMAGE_NORMS)

    def generator(self, shape: Shape) -> Generator:
        """There is none: ValueError."""
        raise ValueError("patches are for D alone: model=dcgan discriminator=patch")

    def discriminator(self, shape: Shape) -> Discriminator:
        """D, `(N, C, H, W) -> (N, P)`; ValueError when there are no patches."""
        halves_for(shape, self.layers)
        return PatchDiscriminator(shape, self.width, self.layers, self.d_norm)
