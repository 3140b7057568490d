"""The laws of optimisers."""

from __future__ import annotations

from dataclasses import is_dataclass, replace

import torch
from torch import nn

from gan_cli.batch import Batch
from gan_cli.laws import Law, Verdict, law, nothing_asked, number
from gan_cli.optimizer import Optimizer
from gan_cli.player import Player


def bowl(optimizer: Optimizer, rate: float, steps: int, pace: float = 1.0) -> float:
    """|w₁| + |w₂| after so many steps down w₁² + w₂² from (3, -2), where it is 5."""
    weight = nn.Parameter(torch.tensor([3.0, -2.0]))
    made = optimizer.make([weight], rate)
    for group in made.param_groups:
        group["lr"] = rate * pace
    for _ in range(steps):
        weight.square().sum().backward()
        made.step()
        made.zero_grad()
    return float(weight.detach().abs().sum())


@law("it goes downhill")
def downhill(optimizer: Optimizer) -> Verdict:
    """100 steps at a rate of 0.01 come nearer to the bottom of a bowl."""
    end = bowl(optimizer, 0.01, 100)
    if not end < 4.5:
        return Verdict(
            False,
            expected="below 4.5 after 100 steps at 0.01 in a bowl, from 5",
            seen=number(end),
            fix="a step goes against the gradient in `weight.grad`",
        )
    return Verdict(True, seen=f"from 5 to {number(end)} in 100 steps")


@law("it takes the rate it is given")
def rate(optimizer: Optimizer) -> Verdict:
    """make(weights, lr) has that rate, and a schedule that sets it to 0 stops it."""
    group = optimizer.make([nn.Parameter(torch.zeros(1))], 0.125).param_groups[0]
    if group.get("lr") != 0.125:
        return Verdict(
            False,
            expected="make(weights, 0.125) has lr = 0.125 in its param_groups",
            seen=str(group.get("lr")),
            fix="give `lr` on to the optimiser: D's rate may be another, and schedules set it",
        )
    if (still := bowl(optimizer, 0.01, 3, pace=0.0)) != 5.0:
        return Verdict(
            False,
            expected="no weight moves when a schedule has set the rate to 0",
            seen=f"5 became {number(still)}",
            fix='read the rate from param_groups at each step: `group["lr"]`',
        )
    return Verdict(True, seen="0.125 is 0.125, and 0 is a halt")


class _Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([3.0, -2.0]))
        self.b = nn.Parameter(torch.tensor([[1.0], [2.0]]))


def _descend(player: Player, steps: int) -> None:
    net = player.net
    assert isinstance(net, _Two)
    for step in range(steps):
        batch = Batch(torch.full((4, 1), 1.0 + step))
        player.descend(lambda b: ((net.a * b.x).square().sum(1) + net.b.square().sum(), {}), batch)


@law("stopped and continued is never stopped")
def continued(optimizer: Optimizer) -> Verdict:
    """Six steps are three, a checkpoint and three more, bit for bit."""
    through, stopped, again = (Player(_Two(), optimizer, optimizer.lr) for _ in range(3))
    _descend(through, 3)
    _descend(stopped, 3)
    again.restore("G", {key: value.clone() for key, value in stopped.state("G").items()})
    _descend(through, 3)
    _descend(again, 3)
    pairs = zip(through.net.parameters(), again.net.parameters(), strict=True)
    gap = max(float((one - other).detach().abs().max()) for one, other in pairs)
    if gap:
        return Verdict(
            False,
            expected="the same weights after six steps as after three, a checkpoint and three",
            seen=f"weights that differ by {number(gap)}",
            fix="what it remembers is in `self.state[weight]`, as tensors of the weight's shape "
            "or of none",
        )
    return Verdict(True, seen="6 steps are 3 and 3, bit for bit")


@law("impossible rates are refused")
def refused(optimizer: Optimizer) -> Verdict:
    """lr=-1, lr=0 and d_lr=-1 raise ValueError."""
    recipe: object = optimizer
    if not is_dataclass(recipe) or isinstance(recipe, type):
        return nothing_asked("it is no dataclass")
    for change in ({"lr": -1.0}, {"lr": 0.0}, {"d_lr": -1.0}):
        try:
            replace(recipe, **change)
        except ValueError:
            continue
        told = ", ".join(f"{key}={value:g}" for key, value in change.items())
        return Verdict(
            False,
            expected=f"ValueError for {told}",
            seen="none",
            fix="gan_cli.optimizer.check_rates(self.lr, self.d_lr) in __post_init__",
        )
    return Verdict(True, seen="lr=-1, lr=0, d_lr=-1")


LAWS: tuple[Law, ...] = (downhill, rate, continued, refused)
