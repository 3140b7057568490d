"""Networks of the experiments on lines and planes."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_cli.model import Generator


class Affine(Generator):
    """G(z) = mean + std z, whose samples are N(mean, std²) in each of `dims` coordinates."""

    def __init__(self, mean: float, std: float, dims: int = 1):
        super().__init__()
        self.z_dim = dims
        self.mean = nn.Parameter(torch.tensor(mean))
        self.std = nn.Parameter(torch.tensor(std))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Samples, `(N, d) -> (N, d)`."""
        return self.mean + self.std * z


class Smooth(nn.Module):
    """D: hidden layers with tanh, then one number; a function without kinks."""

    def __init__(self, dims: int = 1, width: int = 64, depth: int = 2):
        super().__init__()
        sizes = [dims, *[width] * depth]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.Tanh()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs, `(N, d) -> (N,)`."""
        out: Tensor = self.layers(x)
        return out.squeeze(1)


class Segment(Generator):
    """G(z) = (theta, Φ(z)): the points of a vertical segment at theta, evenly."""

    z_dim = 1

    def __init__(self, theta: float):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Points, `(N, 1) -> (N, 2)`."""
        return torch.cat([self.theta.expand(len(z), 1), torch.special.ndtr(z)], dim=1)
