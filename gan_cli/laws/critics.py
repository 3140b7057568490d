"""Critics to try penalties on: as steep as one likes, curved, and watched."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.batch import Batch
from gan_cli.penalty import Critic, Penalty, Seen


class Linear(nn.Module):
    """D(x) = a·x with ‖a‖ = slope, over samples of any shape, in float64."""

    def __init__(self, slope: float, shape: tuple[int, ...]):
        super().__init__()
        a = torch.randn(shape, dtype=torch.float64)
        self.a = nn.Parameter(slope * a / a.norm())

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """`(N, …) -> (N,)`."""
        return (x * self.a).flatten(1).sum(1)


class Curved(nn.Module):
    """A smooth D whose slope is another at every sample, in float64."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        width = torch.Size(shape).numel()
        layers = nn.Linear(width, 8), nn.Softplus(), nn.Linear(8, 8), nn.Softplus(), nn.Linear(8, 1)
        self.net = nn.Sequential(nn.Flatten(), *layers).double()

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """`(N, …) -> (N,)`."""
        out: Tensor = self.net(x)
        return 30 * out[:, 0]  # slopes above 1 too, where one-sided penalties begin


class Watched(nn.Module):
    """D, and where it was asked: the places, and how often a gradient went back to them."""

    def __init__(self, D: nn.Module):
        super().__init__()
        self.D = D
        self.places: list[Tensor] = []
        self.count = [0]

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """`(N, …) -> (N,)`."""
        self.places.append(x.detach())
        out: Tensor = self.D(_Watch.apply(x, self.count), c)
        return out


class _Watch(torch.autograd.Function):
    """The identity; it counts how often a gradient goes through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: list[int]) -> Tensor:
        ctx.count = count
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        ctx.count[0] += 1
        return gradients[0], None


def seen(D: Critic, real: Tensor, fake: Tensor) -> Seen:
    """What D has seen and said of two batches."""
    return Seen(D, Batch(real), Batch(fake), D(real, None), D(fake, None))


def drawn(D: Critic, n: int, shape: tuple[int, ...]) -> Seen:
    """Two batches of noise."""
    real, fake = torch.randn(2, n, *shape, dtype=torch.float64)
    return seen(D, real, fake)


def measures_slopes(penalty: Penalty) -> bool:
    """Whether it asks for D's gradient in its input."""
    D = Watched(Curved((2,)))
    penalty(drawn(D, 4, (2,)))
    return D.count[0] > 0


def draws(penalty: Penalty) -> bool:
    """Whether it draws numbers where real and fake are the same points."""
    D, x = Curved((2,)), torch.randn(4, 2, dtype=torch.float64)
    paid = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        paid.append(penalty(seen(D, x, x)))
    return not torch.equal(*paid)


def of_slope(penalty: Penalty, slope: float, n: int, shape: tuple[int, ...] = (2,)) -> Tensor:
    """What a linear critic of that slope pays, `(n,)`."""
    return penalty(drawn(Linear(slope, shape), n, shape)).detach()
