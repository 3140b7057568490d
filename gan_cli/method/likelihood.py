"""What methods share that make data likely under a mixture of Gaussians."""

from __future__ import annotations

from gan_cli.errors import UserMistake
from gan_cli.method.kit import Kit
from gan_cli.model.mixture import MixtureGenerator
from gan_cli.prior.normal import Normal


def mixture(kit: Kit) -> MixtureGenerator:
    """G, a mixture of Gaussians, for the task; UserMistake where another is asked for."""
    if kit.space.classes or kit.space.given is not None:
        raise UserMistake("task: a mixture of Gaussians hears of no condition: task=unconditional")
    G = kit.generator()
    if not isinstance(G, MixtureGenerator):
        raise UserMistake("model: this method learns a mixture of Gaussians: model=mixture")
    if not isinstance(kit.prior, Normal) or kit.prior.std != 1:
        raise UserMistake("prior: a mixture of Gaussians is made of N(0, I): prior=normal")
    return G
