"""Optimistic gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.optimizer import check_rates


@dataclass(frozen=True)
class OptimisticSGD:
    """Twice this gradient less the last one: w ← w − 2·lr·∇ₜ + lr·∇ₜ₋₁, with ∇₀ = 0.

    Daskalakis et al. 2017, arXiv 1711.00141, equation 5 (after Popov 1980; Rakhlin and Sridharan
    2013): the next gradient is expected to be like the last. In the game min max xy, where gradient
    descent spirals out, the last iterate converges; the step costs no more than the plain one.

    Needs: that both players use it, and move at once for the proof (`dynamics=simultaneous`).

    Trouble: the difference of two gradients doubles the noise of small batches: a larger
    `batch_size`, or a smaller `optimizer.lr`. For deep networks rather `optimizer=optimistic_adam`.
    """

    lr: float = 0.01
    d_lr: float | None = None

    def __post_init__(self) -> None:
        check_rates(self.lr, self.d_lr)

    def make(self, weights: list[Tensor], lr: float) -> torch.optim.Optimizer:
        """Optimistic gradient descent over these weights."""
        return OptimisticDescent(weights, lr)


class OptimisticDescent(torch.optim.Optimizer):
    """The optimiser of `OptimisticSGD`; for each weight it keeps its last gradient."""

    def __init__(self, weights: list[Tensor], lr: float):
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients in `.grad`; a closure is not called."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["previous"] = torch.zeros_like(weight)
            gradients = [weight.grad for weight in weights]
            previous = [self.state[weight]["previous"] for weight in weights]
            torch._foreach_add_(weights, gradients, alpha=-2 * group["lr"])
            torch._foreach_add_(weights, previous, alpha=group["lr"])
            torch._foreach_copy_(previous, gradients)
