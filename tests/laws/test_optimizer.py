"""Laws of every optimiser: it goes downhill at the rate it is told, and refuses impossible ones."""

from __future__ import annotations

import pytest
import torch

from tests.conftest import entries
from tests.games import part

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
def test_impossible_betas_are_refused(betas):
    with pytest.raises(ValueError, match="betas are two numbers"):
        type(OPTIMIZERS["adam"])(betas=betas)
