"""Laws of every penalty: the linear critic, per sample, over any shape, in full precision."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gan_cli.batch import Batch
from gan_cli.penalty import Seen
from tests.conftest import entries
from tests.games import part

PENALTIES = {name: part("penalty", name) for name in entries("penalty")}
SHAPES = [(2,), (1, 8, 8), (3, 5, 7)]

# What a critic of slope s pays, whatever the batch: from the papers' formulas.
OF_SLOPE = {
    "none": lambda s: 0.0,
    "gp": lambda s: 10 * (s - 1) ** 2,
    "r1": lambda s: 10 / 2 * s**2,
}


def linear(slope: float, shape: tuple[int, ...]):
    """D(x) = a·x with ‖a‖ = slope, over samples of any shape."""
    a = torch.randn(shape, dtype=torch.float64)
    a = slope * a / a.norm()
    return lambda x, c: (x * a).flatten(1).sum(1)


def seen(D, shape, n):
    real = Batch(torch.randn(n, *shape, dtype=torch.float64))
    fake = Batch(torch.randn(n, *shape, dtype=torch.float64))
    return Seen(D, real, fake, D(real.x, None), D(fake.x, None))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PENALTIES)
def test_it_depends_on_nothing_but_the_sample(name, shape):
    """Where D is equally steep everywhere, each sample pays the same, alone or in company."""
    D = linear(1.7, shape)
    paid = torch.cat([PENALTIES[name](seen(D, shape, n)) for n in (1, 2, 64)])
    assert paid.shape == (67,)
    assert (paid >= 0).all()
    assert paid.tolist() == pytest.approx([paid[0].item()] * 67, abs=1e-9)


@pytest.mark.parametrize("n", [1, 7, 64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OF_SLOPE)
def test_a_linear_critic_pays_for_its_slope(name, shape, n):
    for slope in (0.0, 0.5, 1.0, 3.0):
        paid = PENALTIES[name](seen(linear(slope, shape), shape, n))
        assert paid.shape == (n,)
        assert paid.tolist() == pytest.approx([OF_SLOPE[name](slope)] * n, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 64])
def test_a_1_lipschitz_critic_pays_nothing_at_any_batch_size(n):
    """The norm over the whole batch would charge it 10 (√n - 1)²: 490 at 64."""
    paid = PENALTIES["gp"](seen(linear(1.0, (3, 4, 4)), (3, 4, 4), n))
    assert paid.abs().max() < 1e-12


@pytest.mark.parametrize("name", [name for name in OF_SLOPE if PENALTIES[name].every])
def test_it_can_be_differentiated_again(name):
    """D's weights get the gradient of the penalty: that of a linear critic is known."""
    weight = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    paid = PENALTIES[name](seen(lambda x, c: x @ weight, (2,), 5)).mean()
    (gradient,) = torch.autograd.grad(paid, weight)
    step = 1e-6
    of = OF_SLOPE[name]
    expected = (of(5 + step) - of(5 - step)) / (2 * step)
    assert gradient.tolist() == pytest.approx([expected * 3 / 5, expected * 4 / 5], rel=1e-6)


def test_gp_looks_between_real_and_fake():
    """On the line between them, each sample at a place of its own."""
    places = []

    def D(x, c):
        places.append(x.detach().clone())
        return x.flatten(1).sum(1)

    real = Batch(torch.zeros(64, 3, 2, 2))
    fake = Batch(torch.ones(64, 3, 2, 2))
    PENALTIES["gp"](Seen(D, real, fake, torch.zeros(64), torch.zeros(64)))
    (x,) = places
    epsilon = x[:, 0, 0, 0]
    assert torch.equal(x, epsilon[:, None, None, None].expand_as(x))
    assert epsilon.min() < 0.1
    assert epsilon.max() > 0.9
    assert epsilon.unique().numel() == 64


@pytest.mark.parametrize("name", [name for name, p in PENALTIES.items() if p.every])
def test_batch_norm_is_refused_and_the_fix_named(name):
    D = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    reason = PENALTIES[name].refuses(D)
    assert reason is not None
    assert "model.d_norm=layer" in reason
    assert PENALTIES[name].refuses(nn.Linear(2, 1)) is None
