"""Who moves how often, and what G learns from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli import dist


@dataclass(frozen=True)
class Turns:
    """Who moves how often: D `critic` times, then G `generator` times, a step.

    `head_start_d` steps are D's alone at first, and `head_start_g` steps G's alone. G learns from
    the share `top_k` of its batch that D likes most (Sinha et al. 2020, arXiv 2002.06224), and with
    `share` from the very fakes that D has just learnt from, which saves a pass of G.
    """

    critic: int = 1
    generator: int = 1
    head_start_d: int = 0
    head_start_g: int = 0
    top_k: float = 1.0
    share: bool = False

    def __post_init__(self) -> None:
        if self.critic < 1:
            raise ValueError(f"n_critic is D's updates a step, 1 or more, not {self.critic}")
        if self.generator < 1:
            raise ValueError(f"n_generator is G's updates a step, 1 or more, not {self.generator}")
        if min(self.head_start_d, self.head_start_g) < 0:
            raise ValueError("head_start.d and head_start.g are numbers of steps, 0 or more")
        if self.head_start_d and self.head_start_g:
            raise ValueError("only one player can have a head start: head_start.d or head_start.g")
        if not 0 < self.top_k <= 1:
            raise ValueError(f"top_k is a share above 0 and up to 1, not {self.top_k}")

    def best(self, losses: Tensor, d_fake: Tensor) -> Tensor:
        """G's losses with the weight on the samples that D likes most, `(N,), (N,) -> (N,)`."""
        if self.top_k == 1:
            return losses
        losses, d_fake = dist.whole(losses), dist.whole(d_fake)
        keep = math.ceil(self.top_k * len(losses))
        chosen = torch.zeros_like(losses).scatter(0, d_fake.topk(keep).indices, 1.0)
        return dist.rows(losses * chosen * (len(losses) / keep))
