"""Laws of every loss: per sample, ordered, stable, differentiable."""

from __future__ import annotations

import pytest
import torch

from tests.conftest import entries
from tests.games import part

LOSSES = {name: part("loss", name) for name in entries("loss")}


@pytest.mark.parametrize("name", LOSSES)
def test_a_sample_pays_for_itself(name):
    """Nothing is reduced, and a sample's loss does not depend on the size of its batch."""
    loss = LOSSES[name]
    real, fake = torch.randn(2, 6, dtype=torch.float64)
    assert loss.d(real, fake).shape == loss.g(real, fake).shape == (6,)
    if not loss.relative:
        for row in range(6):
            alone = slice(row, row + 1)
            assert torch.equal(loss.d(real[alone], fake[alone]), loss.d(real, fake)[alone])
            assert torch.equal(loss.g(real[alone], fake[alone]), loss.g(real, fake)[alone])


@pytest.mark.parametrize("name", LOSSES)
def test_larger_is_more_real(name):
    """D is never worse off for a larger output on real, or a smaller one on fake, near its aim;
    G is never worse off for a larger output on its own."""
    loss = LOSSES[name]
    low, high = torch.tensor([-0.5]), torch.tensor([0.5])
    assert loss.d(high, low) < loss.d(low, high)
    assert loss.g(low, high) < loss.g(low, low)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_sure_outputs_stay_finite(name, dtype):
    loss = LOSSES[name]
    for real, fake in [(1e4, -1e4), (-1e4, 1e4), (0.0, 1e4), (1e4, 1e4), (-1e4, -1e4)]:
        outputs = torch.tensor([[real], [fake]], dtype=dtype, requires_grad=True)
        for paid in (loss.d(*outputs), loss.g(*outputs)):
            (slope,) = torch.autograd.grad(paid.sum(), outputs)
            assert paid.isfinite().all()
            assert slope.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_the_derivatives(name):
    loss = LOSSES[name]
    outputs = torch.tensor([[0.3, -1.7, 2.2], [0.4, 1.9, -0.6]], dtype=torch.float64)
    for play in (loss.d, loss.g):
        assert torch.autograd.gradcheck(
            lambda real, fake, play=play: play(real, fake) + 0 * real,
            tuple(outputs.requires_grad_().unbind()),
        )


# By hand, from the papers' formulas, at D's outputs (real, fake) = (1, -2).
BY_HAND = {
    "minimax": (0.313262 + 0.126928, -0.126928),
    "nonsaturating": (0.313262 + 0.126928, 2.126928),
    "maximum_likelihood": (0.313262 + 0.126928, -0.135335),
    "lsgan": (0.0 + 2.0, 4.5),
    "hinge": (0.0, 2.0),
    "wgan": (-3.0, 2.0),
    "wgan_gp": (-3.0, 2.0),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_values_by_hand(name):
    loss, (d, g) = LOSSES[name], BY_HAND[name]
    real, fake = torch.tensor([1.0]), torch.tensor([-2.0])
    assert loss.d(real, fake).item() == pytest.approx(d, abs=1e-5)
    assert loss.g(real, fake).item() == pytest.approx(g, abs=1e-5)


def test_saturation_is_what_sets_the_generator_losses_apart():
    """Where D is sure of a fake, minimax gives G no gradient, the non-saturating loss 1."""
    fake = torch.tensor([-20.0], requires_grad=True)
    slopes = {}
    for name in ("minimax", "nonsaturating", "wgan"):
        (slope,) = torch.autograd.grad(LOSSES[name].g(None, fake).sum(), fake)
        slopes[name] = slope.item()
    assert abs(slopes["minimax"]) < 1e-8
    assert slopes["nonsaturating"] == pytest.approx(-1)
    assert slopes["wgan"] == -1


def test_maximum_likelihood_goes_on_as_a_tangent():
    loss = LOSSES["maximum_likelihood"]
    edge = torch.tensor([loss.limit], dtype=torch.float64)
    beyond = loss.g(None, edge + 3)
    assert beyond.item() == pytest.approx(-edge.exp().item() * 4)
