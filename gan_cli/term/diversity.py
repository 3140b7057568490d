"""Answers that differ where their codes do."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from gan_cli import dist
from gan_cli.errors import UserMistake
from gan_cli.space import Space
from gan_cli.term import Played, check_weight

TINY = 1e-6
"""The least distance of two codes."""


@dataclass(frozen=True)
class Diversity:
    """-λ min(|G(z, c) - G(z', c)| / |z - z'|, τ): what another code makes of it is to be another.

    Yang et al. 2019, arXiv 1901.09024 (diversity-sensitive conditional GANs), section 3, of the
    mean absolute differences of pixels and of codes; the quotient is also that of Mao et al. 2019,
    arXiv 1903.05628 (mode seeking), who minimise its reciprocal. z' is the code of the sample
    before it in the batch. Beyond `bound` (τ) nothing more is to be had.

    Needs: a condition, where G has taken to answering with the same whatever z is; two or
        more samples in a batch.
    Trouble: answers that no longer fit what is asked for: a smaller weight or bound.
    """

    weight: float = 1.0
    bound: float = 0.5
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)
        if self.bound <= 0:
            raise ValueError(f"bound must be positive, not {self.bound}")

    def __call__(self, played: Played) -> Tensor:
        """What each sample costs, `(N,)`; less, the more it depends on its code.

        UserMistake for a batch of one, whose code has no other beside it.
        """
        fake = played.fake
        assert fake.z is not None
        if len(fake.z) < 2:
            raise UserMistake(
                "term=diversity compares two codes: batch_size=2 or more, and as many in each "
                "part that accumulate makes"
            )
        z = dist.rows(dist.whole(fake.z).roll(1, 0))
        apart = (fake.x - played.G(z, fake.c)).abs().flatten(1).mean(1)
        codes = (fake.z - z).abs().mean(1).clamp(min=TINY)
        return -self.weight * (apart / codes).clamp(max=self.bound)

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """Nothing is refused."""
        return None
