"""Laws of every optimiser: it goes downhill at the rate it is told, and refuses impossible ones."""

from __future__ import annotations

import math

import pytest
import torch

from gan_cli.batch import Batch
from gan_cli.optimizer.optimistic_adam import OptimisticAdam
from gan_cli.optimizer.optimistic_sgd import OptimisticSGD
from gan_cli.player import Player
from tests.conftest import entries
from tests.games import composed, part

OPTIMIZERS = {name: part("optimizer", name) for name in entries("optimizer")}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_goes_downhill(name):
    weight = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = OPTIMIZERS[name].make([weight], lr=0.01)
    for _ in range(100):
        weight.square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert weight.abs().sum() < 5 - 0.5


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_takes_the_rate_it_is_given(name):
    weight = torch.nn.Parameter(torch.zeros(1))
    assert OPTIMIZERS[name].make([weight], lr=0.125).param_groups[0]["lr"] == 0.125


@pytest.mark.parametrize("rates", [{"lr": 0.0}, {"lr": -1.0}, {"d_lr": -1.0}])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_impossible_rates_are_refused(name, rates):
    with pytest.raises(ValueError, match="must be positive"):
        type(OPTIMIZERS[name])(**rates)


@pytest.mark.parametrize("betas", [(0.5,), (1.0, 0.9), (-0.1, 0.9)])
@pytest.mark.parametrize(
    "name", [name for name in OPTIMIZERS if hasattr(OPTIMIZERS[name], "betas")]
)
def test_impossible_betas_are_refused(name, betas):
    with pytest.raises(ValueError, match="betas are two numbers"):
        type(OPTIMIZERS[name])(betas=betas)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_a_negative_decay_is_refused(name):
    with pytest.raises(ValueError, match="weight_decay can't be negative"):
        type(OPTIMIZERS[name])(weight_decay=-0.1)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_it_remembers_comes_back_exactly(name):
    """All of its state is in its tensors: 2 steps, a restart and 2 more are 4 steps."""

    def player() -> Player:
        torch.manual_seed(0)
        return Player(torch.nn.Linear(3, 2), OPTIMIZERS[name], 0.1)

    def learn(one: Player) -> None:
        one.descend(lambda part: (one.net(part.x).square().sum(1), {}), Batch(torch.ones(4, 3)))

    whole, first, second = player(), player(), player()
    for _ in range(4):
        learn(whole)
    for _ in range(2):
        learn(first)
    second.restore("G", {key: value.clone() for key, value in first.state("G").items()})
    for _ in range(2):
        learn(second)
    state = second.state("G")
    assert all(torch.equal(value, state[key]) for key, value in whole.state("G").items())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_changed_rate_counts_from_the_next_step(name):
    """A schedule sets the rate of the group; a rate of zero stops all but what was owed."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = OPTIMIZERS[name].make([weight], lr=0.1)
    optimizer.param_groups[0]["lr"] = 0.0
    weight.square().sum().backward()
    optimizer.step()
    assert torch.equal(weight, torch.ones(2))


def test_optimistic_descent_is_twice_this_gradient_less_the_last():
    """Daskalakis et al. 2017, equation 5, on ½w² from 1 at rate 0.1."""
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = OptimisticSGD().make([weight], lr=0.1)
    w, last = 1.0, 0.0
    for _ in range(5):
        weight.grad = weight.detach().clone()
        optimizer.step()
        w, last = w - 0.2 * w + 0.1 * last, w
        assert weight.item() == pytest.approx(w, rel=1e-12)


def test_optimistic_adam_is_algorithm_1():
    """Daskalakis et al. 2017, by hand, on a gradient that changes its sign."""
    lr, b1, b2, eps = 0.1, 0.5, 0.9, 1e-8
    weight = torch.nn.Parameter(torch.tensor([[2.0]], dtype=torch.float64))
    optimizer = OptimisticAdam(betas=(b1, b2), eps=eps).make([weight], lr)
    w, m, v, last = 2.0, 0.0, 0.0, 0.0
    for step in range(1, 12):
        slope = math.cos(step) * w
        weight.grad = math.cos(step) * weight.detach()
        optimizer.step()
        m, v = b1 * m + (1 - b1) * slope, b2 * v + (1 - b2) * slope**2
        direction = m / (1 - b1**step) / (math.sqrt(v / (1 - b2**step)) + eps)
        w, last = w - 2 * lr * direction + lr * last, direction
        assert weight.item() == pytest.approx(w, rel=1e-12)


def test_decoupled_decay_is_not_in_the_moments():
    """Where the gradient is 0 a weight shrinks by lr·decay of itself, and no more."""
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    weight.grad = torch.zeros_like(weight)
    OPTIMIZERS["adamw"].make([weight], lr=0.5).step()
    assert weight.item() == pytest.approx(1 - 0.5 * 0.01)


def test_variants_are_those_of_their_papers():
    ttur, r3gan = (
        composed(f"optimizer={name}")["optimizer"] for name in ("adam_ttur", "adam_r3gan")
    )
    assert (ttur["lr"], ttur["d_lr"], ttur["betas"]) == (1e-4, 4e-4, [0.0, 0.9])
    assert (r3gan["lr"], r3gan["d_lr"], r3gan["betas"]) == (2e-4, None, [0.0, 0.9])


@pytest.mark.parametrize("name", entries("optimizer"))
def test_a_gradient_counts_by_its_places_and_not_by_its_layout_in_memory(name):
    """The gradient of a convolution that is differentiated twice comes transposed in memory."""
    torch.manual_seed(0)
    start, slope = torch.randn(3, 3, 2, 2), torch.randn(3, 3, 2, 2)
    moved = []
    for given in (slope, slope.transpose(0, 1).contiguous().transpose(0, 1)):
        net = torch.nn.Conv2d(3, 3, 2, bias=False)
        net.weight.data.copy_(start)
        Player(net, part("optimizer", name), 0.1).push([given])
        moved.append(net.weight.detach())
    assert torch.equal(*moved)
