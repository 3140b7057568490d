"""A search for better settings: what may vary, and a study of Optuna that says what to try next.

Optuna: Akiba et al. 2019, arXiv 1907.10902. Nothing here trains, and nothing needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLERS = ("tpe", "gp", "random")
"""Who says what to try: tree-structured Parzen estimators (Bergstra et al. 2011, Algorithms for
hyper-parameter optimization), a Gaussian process, or chance."""

PRUNERS = ("none", "median", "halving")
"""Who says when a run is hopeless: nobody; the median, where it is worse than that of the others at
that step; or successive halving (Li et al. 2020, arXiv 1810.05934)."""


@dataclass(frozen=True)
class Aim:
    """What is sought: a figure, which way is better (1 more, -1 less), and whether a run counts by
    its best measurement or its last."""

    figure: str
    better: int
    best: bool = False

    def __post_init__(self) -> None:
        if self.better not in (1, -1):
            raise ValueError("a figure that is sought has a better and a worse")

    @property
    def words(self) -> str:
        """For those who read the result."""
        way = {1: "more", -1: "less"}[self.better]
        which = {True: "a run's best measurement", False: "a run's last measurement"}[self.best]
        return f"{self.figure} ({way} is better, {which})"
