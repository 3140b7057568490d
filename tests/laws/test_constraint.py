"""Laws of every constraint: D stays in the set, whatever its optimiser does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.conftest import entries
from tests.games import part

CONSTRAINTS = {name: part("constraint", name) for name in entries("constraint")}


def pushed(name: str) -> nn.Module:
    """A D under the constraint after steps that try to leave it."""
    torch.manual_seed(0)
    D = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 1))
    D = CONSTRAINTS[name].wrap(D)
    optimizer = torch.optim.SGD(D.parameters(), lr=0.05)
    for _ in range(20):
        (-D(torch.randn(16, 6)).mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
        CONSTRAINTS[name].project(D)
    return D


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_projecting_twice_is_projecting_once(name):
    D = pushed(name)
    before = {key: value.clone() for key, value in D.state_dict().items()}
    CONSTRAINTS[name].project(D)
    assert all(torch.equal(before[key], value) for key, value in D.state_dict().items())


def test_clip_keeps_every_parameter_in_the_box():
    D = pushed("clip")
    assert max(p.abs().max() for p in D.parameters()) <= CONSTRAINTS["clip"].bound


def test_clip_starts_in_the_box():
    D = CONSTRAINTS["clip"].wrap(nn.Linear(3, 3))
    assert D.weight.abs().max() <= CONSTRAINTS["clip"].bound


def test_spectral_norm_makes_d_1_lipschitz():
    D = pushed("spectral").eval()
    x, y = torch.randn(2, 2000, 6)
    slopes = (D(x) - D(y)).squeeze(1).abs() / (x - y).norm(dim=1)
    assert slopes.max() <= 1.05


def test_spectral_refuses_batch_norm():
    D = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    assert "model.d_norm=none" in CONSTRAINTS["spectral"].refuses(D)
    assert CONSTRAINTS["spectral"].refuses(nn.Linear(2, 1)) is None
