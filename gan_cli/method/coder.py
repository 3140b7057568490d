"""What methods share in which an encoder and a decoder descend one loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from gan_cli.batch import Batch
from gan_cli.condition import featured
from gan_cli.errors import UserMistake
from gan_cli.facts import Facts, named
from gan_cli.method.kit import Kit, Recipe, made
from gan_cli.method.single import Single
from gan_cli.model import Discriminator, Generator
from gan_cli.player import gradient
from gan_cli.space import Space

USES = frozenset(
    "discriminator condition prior model critic_norm optimizer accumulate clip_grad ema".split()
)
"""Groups and root keys that mean something to an encoder and a decoder."""


class Encoder(nn.Module):
    """The body of a D with a linear layer in place of its last, `(N, …), (N, …) -> (N, out)`."""

    def __init__(self, D: Discriminator, out: int, space: Space):
        super().__init__()
        self.body = D
        self.head = nn.Linear(D.width, out)
        for weight in _unused(D, space):
            weight.requires_grad_(False)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Numbers about samples, of which the head makes codes, `(N, …), (N, …) -> (N, out)`."""
        out: Tensor = self.head(self.body.features(x, c))
        return out


def _unused(D: Discriminator, space: Space) -> list[nn.Parameter]:
    """The weights of D that its features don't depend on: those of its answer."""
    x = torch.zeros(2, *space.shape)
    c = None if space.given is None else torch.zeros(2, *space.given)
    c = torch.zeros(2, dtype=torch.int64) if space.classes else c
    h = D.eval().features(x, c)
    D.train()
    weights = list(D.parameters())
    slopes = torch.autograd.grad(h.sum(), weights, allow_unused=True)
    return [weight for weight, slope in zip(weights, slopes, strict=True) if slope is None]


class Coder(Single):
    """E and G, which learn together: a loss of samples and of what comes back of them.

    E is the body of the D that the model makes, and hears of conditions as D would; `numbers` is
    what it says of a sample for each number of its code.
    """

    def __init__(self, recipe: Recipe, kit: Kit, numbers: int):
        if not kit.space.paired:
            raise UserMistake("task: without pairs there is nothing to learn to answer: method=gan")
        G = kit.generator()
        if getattr(G, "mixing", 0):
            raise UserMistake("model: a code is to come back, and G mixes two: model.mixing=0.0")
        D = made("model", lambda: kit.condition.discriminator(kit.judge, kit.space, 1))
        body = made("model", lambda: featured(D, "an encoder"))
        E = kit.learner(Encoder(body, numbers * G.z_dim, kit.space))
        super().__init__({"E": E, "G": kit.learner(G, averaged=True)}, kit.accumulate)
        self.E, self.G, self.recipe = E, self.players["G"], recipe

    @property
    def generator(self) -> nn.Module:
        """The decoder's average, or the decoder where there is none."""
        return self.G.best

    @property
    def z_dim(self) -> int:
        """Numbers in a code."""
        return cast(Generator, self.G.net).z_dim

    @property
    def parts(self) -> dict[str, Any]:
        """The recipe: its weights can change during a run."""
        return {"method": self.recipe}

    def step(self, batches: Iterable[Batch], step: int) -> Facts:
        """Both players take a step down the gradient of the loss, each in its own weights."""
        (real,) = batches
        return self.turn(lambda: self.both(real), self.E, self.G)

    def both(self, real: Batch) -> Facts:
        """What there is to tell of such a step on a batch."""
        players = [self.E, self.G]
        slopes, facts = gradient(self.loss, real, players, self.accumulate)
        for player, own in zip(players, slopes, strict=True):
            facts |= named(player.move(own, len(real)), player.name.lower())
        return facts

    def loss(self, real: Batch) -> tuple[Tensor, Facts]:
        """What both minimise on each sample, `(N,)`, and what there is to tell."""
        raise TypeError(f"{type(self).__name__} has no loss")
