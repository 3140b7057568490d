"""Laws of every constraint: D stays in the set, whatever its optimiser does."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from gan_cli.batch import Batch
from gan_cli.model.dcgan import DCGAN
from gan_cli.model.mlp import MLP
from gan_cli.optimizer.adam import Adam
from gan_cli.player import Player
from tests.conftest import entries
from tests.games import part

CONSTRAINTS = {name: part("constraint", name) for name in entries("constraint")}


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 1))


def pushed(name: str, steps: int = 20) -> nn.Module:
    """A D under the constraint after steps that try to leave it."""
    D = CONSTRAINTS[name].wrap(small())
    optimizer = torch.optim.SGD(D.parameters(), lr=0.05)
    for _ in range(steps):
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


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_d_under_it_can_be_kept_and_copied(name):
    """All of its state is in `state_dict`, under names that a new D under it has too."""
    D, x = pushed(name).eval(), torch.randn(9, 6)
    fresh = CONSTRAINTS[name].wrap(small()).eval()
    fresh.load_state_dict(D.state_dict(), strict=True)
    assert torch.equal(fresh(x), D(x))
    assert torch.equal(copy.deepcopy(D)(x), D(x))


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_player_trains_a_d_under_it(name):
    """Every parameter gets a gradient, and D comes to tell 1 from -1."""
    D = CONSTRAINTS[name].wrap(small())
    player = Player(D, Adam(), 1e-2)

    def loss(batch):
        return softplus(-D(batch.x)[:, 0] * batch.x[:, 0]), {}

    x = torch.ones(8, 6) * torch.tensor([1.0] * 3 + [-1.0] * 5)[:, None]
    first = loss(Batch(x))[0].mean()
    assert all(slope.any() for slope in torch.autograd.grad(first, player.weights))
    for _ in range(20):
        player.descend(loss, Batch(x))
        CONSTRAINTS[name].project(D)
    assert loss(Batch(x))[0].mean() < first - 1e-5


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_it_says_whether_it_holds_a_slope(name):
    """After steps that only ever make D steeper, a D that is held is flatter than a free one."""
    x = torch.randn(500, 6, requires_grad=True)
    slopes = {}
    for kind in ("free", name):
        D = pushed(kind, steps=60)
        (gradient,) = torch.autograd.grad(D(x).sum(), x)
        slopes[kind] = float(gradient.norm(dim=1).max())
    assert CONSTRAINTS[name].holds is (slopes[name] < 1.1), slopes


def test_clip_keeps_every_parameter_in_the_box():
    D = pushed("clip")
    assert max(p.abs().max() for p in D.parameters()) <= CONSTRAINTS["clip"].bound


def test_clip_starts_in_the_box():
    D = CONSTRAINTS["clip"].wrap(nn.Linear(3, 3))
    assert D.weight.abs().max() <= CONSTRAINTS["clip"].bound


def test_spectral_norm_makes_d_1_lipschitz():
    """Each layer's largest singular value is 1, however large its weights were to begin with."""
    D = small()
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


@pytest.mark.parametrize("name", ["spectral", "lipschitz"])
@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(4), nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)]
)
def test_what_bounds_each_layer_refuses_every_normalisation(name, norm):
    D = nn.Sequential(nn.Linear(2, 4), norm, nn.Linear(4, 1))
    assert "model.d_norm=none" in CONSTRAINTS[name].refuses(D)
    assert CONSTRAINTS[name].refuses(nn.Linear(2, 1)) is None


def test_weight_norm_is_a_length_and_a_direction():
    """The function is the same at first; g alone is then the length of a filter."""
    D, x = small(), torch.randn(9, 6)
    before = D(x)
    D = CONSTRAINTS["weight_norm"].wrap(D)
    assert torch.allclose(D(x), before, atol=1e-6)
    length, direction = (
        D[0].parametrizations.weight.original0,
        D[0].parametrizations.weight.original1,
    )
    with torch.no_grad():
        length.fill_(3.0)
        direction.mul_(7.0)
    assert D[0].weight.norm(dim=1).tolist() == pytest.approx([3.0] * 8, rel=1e-5)


# 1-Lipschitz by construction.


def critic(shape: tuple[int, ...], width: int = 16) -> nn.Module:
    torch.manual_seed(0)
    D = MLP(width=width, depth=3).discriminator(shape)
    assert CONSTRAINTS["lipschitz"].refuses(D) is None
    return CONSTRAINTS["lipschitz"].wrap(D)


def earn(D: nn.Module, real: torch.Tensor, fake: torch.Tensor, steps: int) -> float:
    """What D tells the two apart by after so many steps: Wasserstein-1, from below."""
    optimizer = torch.optim.Adam(D.parameters(), lr=1e-2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        loss = D(fake).mean() - D(real).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return float(D(real).mean() - D(fake).mean())


@pytest.mark.parametrize("shape", [(2,), (3, 4, 5)])
@pytest.mark.parametrize("width", [16, 7])
def test_no_two_samples_are_told_apart_by_more_than_their_distance(shape, width):
    D = critic(shape, width)
    earn(D, torch.randn(64, *shape) + 3, torch.randn(64, *shape), steps=30)
    x, y = torch.randn(2, 2000, *shape) * torch.tensor([0.01, 1.0, 10.0, 0.1]).repeat(500).reshape(
        2000, *[1] * len(shape)
    )
    y = x + y
    with torch.no_grad():
        ratio = (D(x) - D(y)).abs() / (x - y).flatten(1).norm(dim=1)
    assert ratio.max() <= 1 + 1e-3
    for layer in D.modules():
        if isinstance(layer, nn.Linear):
            values = torch.linalg.svdvals(layer.weight.detach())
            assert values.tolist() == pytest.approx([1.0] * len(values), abs=1e-5)


def test_the_way_back_through_maxmin_keeps_the_length_of_a_gradient():
    """Every layer but the first is as wide as the one below, so slopes are 1, not below."""
    D = critic((1,), width=16)
    x = torch.randn(500, 1, requires_grad=True)
    (gradient,) = torch.autograd.grad(D(x).sum(), x)
    assert gradient.abs().max() <= 1 + 1e-5


@pytest.mark.parametrize("theta", [0.5, 4.0])
def test_it_tells_point_masses_apart_by_their_distance(theta):
    """W1 = θ for point masses at distance θ."""
    told = earn(critic((1,)), torch.full((1, 1), theta), torch.zeros(1, 1), steps=60)
    assert told == pytest.approx(theta, rel=0.02)


def test_it_can_be_the_absolute_value():
    """-|x| tells 0 from ±1 by 1, their W1; leaky ReLUs that are held as tightly stop at 0.6."""
    real, fake = torch.zeros(2, 1), torch.tensor([[1.0], [-1.0]])
    assert earn(critic((1,)), real, fake, steps=100) == pytest.approx(1, rel=0.02)
    torch.manual_seed(0)
    leaky = CONSTRAINTS["spectral"].wrap(MLP(width=16, depth=3).discriminator((1,)))
    assert earn(leaky, real, fake, steps=100) < 0.7


def test_a_d_that_is_not_fully_connected_is_refused():
    refuses = CONSTRAINTS["lipschitz"].refuses
    assert "model=mlp" in refuses(DCGAN(width=4, d_norm="none").discriminator((1, 8, 8)))
    assert "model.d_norm=none" in refuses(MLP(d_norm="layer").discriminator((2,)))
    assert "model=mlp" in refuses(nn.Sequential(nn.Linear(2, 2), nn.Bilinear(2, 2, 1)))
