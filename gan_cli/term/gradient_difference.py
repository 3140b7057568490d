"""How far borders are from being as steep as those of the right answer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli.space import Space
from gan_cli.term import Played, check_weight, needs_an_answer

DIRECTIONS = (2, 3)


@dataclass(frozen=True)
class GradientDifference:
    """| |∇x| - |∇G(z, c)| |^α between neighbouring pixels, down and across, times `weight`.

    Mathieu et al. 2015, arXiv 1511.05440, equation 6, with their α = 1; the mean over the pixels
    of each direction, where they have the sum. It minds neither colour nor which way a border
    goes, so it stands beside l1 or l2.

    Needs: a task with a right answer, and l1 or l2 beside it: term=[l1,gradient_difference].
    Trouble: grain and false borders: a smaller weight.
    """

    weight: float = 100.0
    alpha: float = 1.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)
        if self.alpha < 1:
            raise ValueError(f"alpha must be 1 or more, not {self.alpha}")

    def __call__(self, played: Played) -> Tensor:
        """What each answer costs, `(N,)`."""
        paid = torch.zeros((), device=played.fake.x.device)
        for direction in DIRECTIONS:
            wanted, found = (
                batch.x.diff(dim=direction).abs() for batch in (played.real, played.fake)
            )
            paid = paid + (wanted - found).abs().pow(self.alpha).flatten(1).mean(1)
        return self.weight * paid

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """A task in which no answer is the right one, or whose answers have no neighbours."""
        if reason := needs_an_answer(space):
            return reason
        return None if min(space.shape[1:]) > 1 else "images of one pixel a side have no borders"
