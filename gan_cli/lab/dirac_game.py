"""The Dirac-GAN as a game of `gan`: the smallest G and D that there can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.dataset.dirac import Dirac
from gan_cli.lab.dirac_picture import REACH, Path
from gan_cli.lab.game import Networks, game, play
from gan_cli.model import Generator
from gan_cli.session import Session


class Point(Generator):
    """G: a point at θ, whatever z is."""

    z_dim = 1

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """θ for each, `(N, 1) -> (N, 1)`."""
        return self.theta.expand(len(z), 1)


class Slope(nn.Module):
    """D(x) = ψx. It begins wrong: larger is more real, and D finds the fake more real."""

    def __init__(self) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.full((), -1.0, dtype=torch.float64))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """ψx, `(N, 1) -> (N,)`."""
        return self.psi * x.squeeze(1)


@dataclass(frozen=True)
class Origin(Dirac):
    """All data are at 0, in float64."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Zeros, `(n, 1)`."""
        return super().sample(n, generator).double()


def setup(*overrides: str, steps: int, seed: int = 0) -> Session:
    """The game under these overrides, at its start: gradient descent at rate 0.2, a batch of 1."""
    first, *rest = overrides
    common = ("optimizer=sgd", "optimizer.lr=0.2", "schedule=constant", "ema.half_life=0.0")
    settings = ("batch_size=1", "n_critic=1", f"steps={steps}", *common)
    return game(first, *settings, *rest, model=Networks(Point, Slope), data=Origin(), seed=seed)


def trajectory(start: Session, seed: int = 0) -> Path:
    """(θ, ψ) before each step and after the last, `(steps + 1, 2)`."""
    path = [where(start), *(where(start) for _ in play(start, seed))]
    rows: Path = torch.stack(path).numpy()
    return rows


def where(start: Session) -> Tensor:
    """(θ, ψ), `(2,)`."""
    players = start.game.players.values()
    return torch.stack([weight.detach() for player in players for weight in player.weights])


def put(start: Session, theta: float, psi: float) -> None:
    """Set θ and ψ."""
    with torch.no_grad():
        start.game.G.weights[0].fill_(theta)
        start.game.D.weights[0].fill_(psi)


def step_from(start: Session, theta: float, psi: float) -> Tensor:
    """Where one step leads from (θ, ψ), `(2,)`."""
    put(start, theta, psi)
    start.dynamics.step(start.game, [start.feed(0)], 0)
    return where(start)


def eigenvalue(start: Session, by: float = 1e-5) -> float:
    """The largest |λ| of one step at the equilibrium, by central differences."""
    columns = [
        (step_from(start, *(by * axis)) - step_from(start, *(-by * axis))) / (2 * by)
        for axis in torch.eye(2, dtype=torch.float64)
    ]
    return float(torch.linalg.eigvals(torch.stack(columns, 1)).abs().max())


def field_of(start: Session, points: int = 13) -> Path:
    """One step from each point of a lattice: θ, ψ, dθ, dψ, `(points², 4)`."""
    ticks = [REACH * (2 * i / (points - 1) - 1) for i in range(points)]
    rows = []
    for theta in ticks:
        for psi in ticks:
            end = step_from(start, theta, psi)
            rows.append([theta, psi, float(end[0]) - theta, float(end[1]) - psi])
    return np.array(rows)
