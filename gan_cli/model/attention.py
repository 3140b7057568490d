"""Self-attention over the places of a feature map."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """x + γ o(x), where o looks at every place of the map at once; γ is learnt, and 0 at first.

    Zhang et al. 2018, arXiv 1805.08318 (SAGAN), equations 1 to 3: a place looks at others by
    softmax(f(x_i) · g(x_j)) and gets v of their sum of h(x_i), all four 1×1 convolutions, on an
    eighth of the channels. Weights by Xavier's rule, uniform, no biases.
    """

    def __init__(self, channels: int):
        super().__init__()
        few = max(1, channels // 8)
        self.f = nn.Conv2d(channels, few, 1, bias=False)
        self.g = nn.Conv2d(channels, few, 1, bias=False)
        self.h = nn.Conv2d(channels, few, 1, bias=False)
        self.v = nn.Conv2d(few, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))
        for layer in (self.f, self.g, self.h, self.v):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Maps of the same size, `(N, C, H, W) -> (N, C, H, W)`."""
        f, g, h = (layer(x).flatten(2) for layer in (self.f, self.g, self.h))
        look = (f.transpose(1, 2) @ g).softmax(1)  # look[:, i, j]: how much j looks at i
        out: Tensor = self.v((h @ look).unflatten(2, x.shape[2:]))
        return x + self.gamma * out
