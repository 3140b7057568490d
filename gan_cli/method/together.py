"""Several players, one loss."""

from __future__ import annotations

from torch import nn

from gan_cli.batch import Batch
from gan_cli.condition import featured
from gan_cli.method.kit import Kit, made
from gan_cli.method.single import Single
from gan_cli.player import Facts, LossOf, Player, gradient


def descend(players: dict[str, Player], loss: LossOf, batch: Batch, parts: int = 1) -> Facts:
    """One step of each player down the gradient of one loss in its own weights.

    The loss is computed once. The batch can be taken in several parts, as in `Player.descend`.
    """
    weights = [weight for player in players.values() for weight in player.weights]
    slopes, facts = gradient(loss, batch, weights, parts)
    for name, player in players.items():
        own, slopes = slopes[: len(player.weights)], slopes[len(player.weights) :]
        facts[f"grad_norm/{name.lower()}"] = player.move(own, len(batch))["grad_norm"]
    return facts
