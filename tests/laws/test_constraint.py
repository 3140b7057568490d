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
    """Each layer's largest singular value is 1, however large its weights were to begin with."""
    torch.manual_seed(0)
    D = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 1))
    with torch.no_grad():
        for p in D.parameters():
            p.mul_(20)
    x = torch.randn(2000, 6, requires_grad=True)
    (before,) = torch.autograd.grad(D(x).sum(), x)
    D = CONSTRAINTS["spectral"].wrap(D)
    for _ in range(200):  # one power iteration a pass
        D(x)
    D.eval()
    (after,) = torch.autograd.grad(D(x).sum(), x)
    assert before.norm(dim=1).max() > 100
    assert after.norm(dim=1).max() <= 1.001
    for layer in (D[0], D[2], D[4]):
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(4), nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)]
)
def test_spectral_refuses_every_normalisation(norm):
    D = nn.Sequential(nn.Linear(2, 4), norm, nn.Linear(4, 1))
    assert "model.d_norm=none" in CONSTRAINTS["spectral"].refuses(D)
    assert CONSTRAINTS["spectral"].refuses(nn.Linear(2, 1)) is None
