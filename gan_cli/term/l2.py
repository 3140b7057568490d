"""The squared distance to the right answer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from gan_cli.space import Space
from gan_cli.term import Played, check_weight, needs_an_answer


@dataclass(frozen=True)
class L2:
    """The mean over the pixels of (x - G(z, c))², times `weight`.

    Pathak et al. 2016, arXiv 1604.07379, equations 1 and 3, weigh it with 0.999 where the game has
    0.001, which is a weight of 999. By itself its best answer is the mean of all that fit.

    Needs: a task with a right answer (task=superres, inpaint, …).
    Trouble: blur: a smaller weight, or term=l1. Answers that have little to do with what is given:
    a larger one.
    """

    weight: float = 100.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)

    def __call__(self, played: Played) -> Tensor:
        """What each answer costs, `(N,)`."""
        distance = (played.fake.x - played.real.x).square()
        return self.weight * distance.flatten(1).mean(1)

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """A task in which no answer is the right one."""
        return needs_an_answer(space)
