"""Optimistic Adam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan_cli.optimizer import check_betas, check_rates


@dataclass(frozen=True)
class OptimisticAdam:
    """Twice Adam's direction less the last one: w ← w − 2·lr·uₜ + lr·uₜ₋₁, u = m̂/(√v̂ + ε), u₀ = 0.

    Daskalakis et al. 2017, arXiv 1711.00141, Algorithm 1: the optimism that makes gradient descent
    converge in bilinear games, with Adam's moments. Rate and betas are those of DCGAN (Radford et
    al. 2015, arXiv 1511.06434), so that it can be put beside `optimizer=adam`.

    Needs: that both players use it. It takes the memory of one more copy of the weights than Adam.

    Trouble: its first step, and each that turns around, is up to twice as long as Adam's: when it
    runs away, half the `optimizer.lr`. It lessens cycling; it does not cure a collapsed G.
    """

    lr: float = 2e-4
    d_lr: float | None = None
    betas: tuple[float, float] = (0.5, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        check_rates(self.lr, self.d_lr)
        check_betas(self.betas)

    def make(self, weights: list[Tensor], lr: float) -> torch.optim.Optimizer:
        """Optimistic Adam over these weights."""
        return OptimisticAdamDescent(weights, lr, (self.betas[0], self.betas[1]), self.eps)


class OptimisticAdamDescent(torch.optim.Optimizer):
    """The optimiser of `OptimisticAdam`; for each weight it keeps Adam's moments and last step."""

    def __init__(self, weights: list[Tensor], lr: float, betas: tuple[float, float], eps: float):
        super().__init__(weights, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients in `.grad`; a closure is not called."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._descend(weights, group)

    def _descend(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        lr, (beta1, beta2), eps = group["lr"], group["betas"], group["eps"]
        states = [self.state[weight] or self._start(weight) for weight in weights]
        first, second, previous = (
            [state[key] for state in states] for key in ("exp_avg", "exp_avg_sq", "previous")
        )
        torch._foreach_add_([state["step"] for state in states], 1)
        steps = float(states[0]["step"])  # on the CPU, the same for every weight
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        scale = torch._foreach_sqrt(second)
        torch._foreach_div_(scale, (1 - beta2**steps) ** 0.5)
        torch._foreach_add_(scale, eps)
        direction = torch._foreach_div(first, 1 - beta1**steps)
        torch._foreach_div_(direction, scale)
        torch._foreach_add_(weights, direction, alpha=-2 * lr)
        torch._foreach_add_(weights, previous, alpha=lr)
        torch._foreach_copy_(previous, direction)

    def _start(self, weight: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[weight]
        state["step"] = torch.tensor(0.0)
        for key in ("exp_avg", "exp_avg_sq", "previous"):
            state[key] = torch.zeros_like(weight)
        return state
