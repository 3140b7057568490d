"""The players take turns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gan_cli.batch import Batch
from gan_cli.facts import Facts
from gan_cli.method.gan import GAN


@dataclass(frozen=True)
class Alternating:
    """D moves, then G, each with the other held fixed.

    Goodfellow et al. 2014, arXiv 1406.2661, Algorithm 1; it stands in `GAN.step`.

    Needs: nothing.

    Trouble: without a penalty the players may circle around the equilibrium for ever, neither
    coming nearer nor leaving: `penalty=r1`, or `dynamics=extragradient`.
    """

    def step(self, gan: GAN, batches: Iterable[Batch], step: int) -> Facts:
        """D's step on each batch, then G's."""
        return gan.step(batches, step)

    def refuses(self, gan: GAN) -> str | None:
        """Nothing is refused."""
        return None
