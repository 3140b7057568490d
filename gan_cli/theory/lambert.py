"""Lambert's W of an exponential, in log space."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

STEPS = 6  # Halley's method is cubic: 4 are enough for float64, wherever it starts here


class _LogW(torch.autograd.Function):
    """y with y + exp(y) = c, whose derivative is 1 / (1 + exp(y)); twice differentiable."""

    @staticmethod
    def forward(c: Tensor) -> Tensor:
        exact = c if c.dtype == torch.float64 else c.float()
        y = torch.where(exact > 1, exact.clamp(min=1).log(), exact)
        for _ in range(STEPS):
            s = y.exp()
            wrong, slope = y + s - exact, 1 + s
            y = y - 2 * wrong * slope / (2 * slope * slope - wrong * s)
        return torch.where(exact.isinf(), exact, y).to(c.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return gradient[0] * torch.sigmoid(-y)


def log_w(c: Tensor) -> Tensor:
    """log W(exp(c)), the y with y + exp(y) = c; `(N,) -> (N,)`, for any c from -1e30 to 1e30.

    W is Lambert's function, W exp(W) = x (Corless et al. 1996, Advances in Computational
    Mathematics 5). The exponential is never taken, so nothing overflows. float16 and bfloat16 are
    solved in float32.
    """
    y: Tensor = _LogW.apply(c)
    return y
