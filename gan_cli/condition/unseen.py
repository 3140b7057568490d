"""Labels that D is not told."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from gan_cli.condition import check_way, told_generator, untold_discriminator
from gan_cli.model import Generator, Model
from gan_cli.space import Space


@dataclass(frozen=True)
class Unseen:
    """G is told what to make; D is not, and judges samples alone.

    Odena et al. 2016, arXiv 1610.09585 (AC-GAN): what ties a sample to its class is then a
    classifier beside D, auxiliary=acgan, which G has to please.

    Needs: something else that ties x to c: an auxiliary, or a term (term=l1).
    Trouble: samples of any class: auxiliary=acgan, or condition=concat.
    """

    g: str = "concat"

    def __post_init__(self) -> None:
        check_way(self.g)

    @property
    def matching(self) -> bool:
        """Never: D could not tell a wrong condition from a right one."""
        return False

    def generator(self, model: Model, space: Space) -> Generator:
        """G that hears of c, `(N, z_dim), (N, …) -> (N, …)`."""
        return told_generator(self.g, model, space)

    def discriminator(self, model: Model, space: Space, pack: int) -> nn.Module:
        """D of samples alone, `(N, …), (N, …) -> (N,)`."""
        return untold_discriminator(model, space, pack)
