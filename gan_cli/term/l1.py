"""The distance to the right answer, in absolute values."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from gan_cli.space import Space
from gan_cli.term import Played, check_weight, needs_an_answer


@dataclass(frozen=True)
class L1:
    """The mean over the pixels of |x - G(z, c)|, times `weight`.

    Isola et al. 2016, arXiv 1611.07004, equation 3, with their λ = 100. By itself its best answer
    is the median of all that fit.

    Needs: a task with a right answer (task=superres, inpaint, …).
    Trouble: blur: a smaller weight. Answers that have little to do with what is given: a larger
    one.
    """

    weight: float = 100.0
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)

    def __call__(self, played: Played) -> Tensor:
        """What each answer costs, `(N,)`."""
        distance = (played.fake.x - played.real.x).abs()
        return self.weight * distance.flatten(1).mean(1)

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """A task in which no answer is the right one."""
        return needs_an_answer(space)
