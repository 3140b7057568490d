"""Laws of every penalty: the linear critic, per sample, over any shape, in full precision."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import ClassVar

import pytest
import torch
from torch import nn

from gan_cli.batch import Batch
from gan_cli.penalty import Seen
from tests.conftest import entries
from tests.games import part

SHAPES = [(2,), (1, 8, 8), (3, 5, 7)]

# What a critic of slope s pays, whatever the batch: from the papers' formulas.
OF_SLOPE = {
    "gp": lambda s: 10 * (s - 1) ** 2,
    "lp": lambda s: 10 * max(0, s - 1) ** 2,
    "dragan": lambda s: 10 * (s - 1) ** 2,
    "max_gp": lambda s: 0.1 * s**2,
    "wgan_div": lambda s: 2 * s**6,
    "r1": lambda s: 10 / 2 * s**2,
    "r2": lambda s: 10 / 2 * s**2,
    "r1_small": lambda s: 0.1 / 2 * s**2,
    "r2_small": lambda s: 0.1 / 2 * s**2,
    "r1_small_lazy": lambda s: 0.1 / 2 * s**2,
    "r1_r3gan": lambda s: 0.05 / 2 * s**2,
    "r2_r3gan": lambda s: 0.05 / 2 * s**2,
}


@functools.cache
def kept(name: str):
    return part("penalty", name)


def penalty(name: str):
    """A new penalty, as `penalty=name` makes it."""
    return dataclasses.replace(kept(name))


NAMES = [name for name in entries("penalty") if name != "none"]
ON_SLOPES = list(OF_SLOPE)
OTHERS = ["lecam", "cr", "bcr", "orthogonal"]


class Linear(nn.Module):
    """D(x) = a·x with ‖a‖ = slope, over samples of any shape."""

    def __init__(self, slope: float, shape: tuple[int, ...]):
        super().__init__()
        self.layer = nn.Linear(math.prod(shape), 1, bias=False, dtype=torch.float64)
        with torch.no_grad():
            self.layer.weight *= slope / self.layer.weight.norm()

    def forward(self, x, c=None):
        return self.layer(x.flatten(1)).squeeze(1)


def net() -> nn.Module:
    """A D that is neither linear nor symmetric."""
    torch.manual_seed(1)
    layers = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1)).double()
    with torch.no_grad():
        layers[2].weight *= 20
    D = Linear(1.0, (2,))
    D.layer = layers
    return D


def seen(D, shape, n):
    real = Batch(torch.randn(n, *shape, dtype=torch.float64))
    fake = Batch(torch.randn(n, *shape, dtype=torch.float64))
    return Seen(D, real, fake, D(real.x, None), D(fake.x, None))


def test_none_is_no_penalty_at_all():
    assert part("penalty", "none") is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ON_SLOPES)
def test_it_depends_on_nothing_but_the_sample(name, shape):
    """Where D is equally steep everywhere, each sample pays the same, alone or in company."""
    D = Linear(1.7, shape)
    paid = torch.cat([penalty(name)(seen(D, shape, n)) for n in (1, 2, 64)])
    assert paid.shape == (67,)
    assert paid.tolist() == pytest.approx([paid[0].item()] * 67, abs=1e-9)


@pytest.mark.parametrize("n", [1, 64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_one_finite_value_a_sample_and_never_below_zero(name, shape, n):
    paid = penalty(name)(seen(Linear(1.7, shape), shape, n))
    assert paid.shape == (n,)
    assert paid.isfinite().all()
    assert (paid >= 0).all()


@pytest.mark.parametrize("n", [1, 7, 64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OF_SLOPE)
def test_a_linear_critic_pays_for_its_slope(name, shape, n):
    for slope in (0.0, 0.5, 1.0, 3.0):
        paid = penalty(name)(seen(Linear(slope, shape), shape, n))
        assert paid.shape == (n,)
        assert paid.tolist() == pytest.approx([OF_SLOPE[name](slope)] * n, abs=1e-9, rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 64])
@pytest.mark.parametrize("name", ["gp", "lp", "dragan", "max_gp"])
def test_a_1_lipschitz_critic_pays_nothing_at_any_batch_size(name, n):
    """The norm over the whole batch would charge it 10 (√n - 1)²: 490 at 64."""
    of_one = dataclasses.replace(penalty(name), target=1.0)
    paid = of_one(seen(Linear(1.0, (3, 4, 4)), (3, 4, 4), n))
    assert paid.abs().max() < 1e-12


@pytest.mark.parametrize("name", OF_SLOPE)
def test_it_can_be_differentiated_again(name):
    """D's weights get the gradient of the penalty: that of a linear critic is known."""
    D = Linear(2.5, (2,))
    paid = penalty(name)(seen(D, (2,), 5)).mean()
    (gradient,) = torch.autograd.grad(paid, D.layer.weight)
    step, of = 1e-6, OF_SLOPE[name]
    expected = (of(2.5 + step) - of(2.5 - step)) / (2 * step) * D.layer.weight / 2.5
    assert gradient.flatten().tolist() == pytest.approx(expected.flatten().tolist(), rel=1e-6)


@pytest.mark.parametrize("name", OF_SLOPE)
def test_a_flat_critic_has_a_finite_gradient(name):
    """The norm has a kink at 0: what is taken there is 0, not NaN."""
    D = Linear(0.0, (2,))
    (gradient,) = torch.autograd.grad(penalty(name)(seen(D, (2,), 5)).mean(), D.layer.weight)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("max_gp", "orthogonal", "dragan")])
def test_what_a_sample_pays_does_not_depend_on_the_others(name):
    """Nor does its gradient. max_gp and orthogonal are of the batch, and DRAGAN's reach is."""
    D, n = net(), 6
    both = seen(D, (2,), n)
    other = dataclasses.replace(
        both,
        real=Batch(torch.cat([both.real.x[:1], 3 * torch.randn(n - 1, 2).double()])),
        fake=Batch(torch.cat([both.fake.x[:1], 3 * torch.randn(n - 1, 2).double()])),
    )
    gradients = []
    for here in (both, other):
        batch = dataclasses.replace(here, d_real=D(here.real.x), d_fake=D(here.fake.x))
        component = penalty(name)
        if hasattr(component, "remember"):
            component.remember(torch.ones(1), torch.ones(1))
        torch.manual_seed(5)
        paid = component(batch)[0]
        gradients.append([paid, *torch.autograd.grad(paid, list(D.layer.parameters())[:3])])
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)
    assert gradients[0][0] > 0


@pytest.mark.parametrize("name", NAMES)
def test_nothing_reaches_g_and_d_learns_from_all_of_it(name):
    D, component = net(), penalty(name)
    real = Batch(torch.randn(8, 2).double())
    made = torch.randn(8, 2).double().requires_grad_()
    d_fake = D(made.detach())
    if hasattr(component, "remember"):
        component.remember(torch.ones(1), -torch.ones(1))
    paid = component(Seen(D, real, Batch(made), D(real.x), d_fake)).sum()
    to_g, *to_d = torch.autograd.grad(paid, [made, *D.parameters()], allow_unused=True)
    assert to_g is None
    assert any(slope is not None and slope.abs().sum() > 0 for slope in to_d)


@pytest.mark.parametrize("name", ["gp", "lp", "max_gp", "wgan_div"])
def test_it_looks_between_real_and_fake(name):
    """On the line between them, each sample at a place of its own."""
    places = []

    def D(x, c):
        places.append(x.detach().clone())
        return x.flatten(1).sum(1)

    real = Batch(torch.zeros(64, 3, 2, 2))
    fake = Batch(torch.ones(64, 3, 2, 2))
    penalty(name)(Seen(D, real, fake, torch.zeros(64), torch.zeros(64)))
    (x,) = places
    epsilon = x[:, 0, 0, 0]
    assert torch.equal(x, epsilon[:, None, None, None].expand_as(x))
    assert epsilon.min() < 0.1
    assert epsilon.max() > 0.9
    assert epsilon.unique().numel() == 64


@pytest.mark.parametrize(("name", "at"), [("r1", "real"), ("r2", "fake")])
def test_r1_looks_at_real_samples_and_r2_at_generated_ones(name, at):
    """D(x) = ‖x‖²/2 is as steep as x is long: γ/2 ‖x‖²."""
    batch = seen(lambda x, c: x.square().sum(1) / 2, (2,), 16)
    expected = 5 * getattr(batch, at).x.square().sum(1)
    assert torch.allclose(penalty(name)(batch), expected)


@pytest.mark.parametrize("name", ON_SLOPES)
def test_batch_norm_is_refused_and_the_fix_named(name):
    D = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    reason = penalty(name).refuses(D)
    assert reason is not None
    assert "model.d_norm=layer" in reason
    assert penalty(name).refuses(nn.Linear(2, 1)) is None


@pytest.mark.parametrize("name", OTHERS)
def test_what_measures_no_slope_takes_batch_norm(name):
    D = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    assert penalty(name).refuses(D) is None


@pytest.mark.parametrize("name", ON_SLOPES)
def test_a_d_that_judges_several_together_is_refused(name):
    class Pack(nn.Linear):
        crosses_samples: ClassVar[bool] = True

    assert "pack=1" in penalty(name).refuses(nn.Sequential(Pack(2, 1)))


@pytest.mark.parametrize("name", NAMES)
def test_impossible_values_are_refused(name):
    component = penalty(name)
    with pytest.raises(ValueError, match="every"):
        dataclasses.replace(component, every=0)
    weights = {"gamma", "weight", "target", "real", "fake", "spread", "jitter", "shift"}
    for field in weights & {field.name for field in dataclasses.fields(component)}:
        with pytest.raises(ValueError, match=field):
            dataclasses.replace(component, **{field: -0.5})


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("lecam", "decay", 1.0), ("cr", "shift", 1.0), ("wgan_div", "power", 0.5)],
)
def test_so_are_these(name, field, value):
    with pytest.raises(ValueError, match=field):
        dataclasses.replace(penalty(name), **{field: value})


@pytest.mark.parametrize("name", ["r1", "r2", "gp", "lp", "dragan", "wgan_div"])
def test_a_flat_d_has_every_derivative(name):
    """Where D is flat the penalty, its gradient and the gradient's gradient are finite."""
    weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    real, fake = (Batch(torch.randn(4, 2, dtype=torch.float64)) for _ in range(2))

    def D(x, c):
        return x @ weight

    seen = Seen(D, real, fake, D(real.x, None), D(fake.x, None))
    paid = part("penalty", name)(seen).mean()
    (gradient,) = torch.autograd.grad(paid, weight, create_graph=True)
    (again,) = torch.autograd.grad(gradient.square().sum(), weight, allow_unused=True)
    assert paid.isfinite()
    assert gradient.isfinite().all()
    assert again is None or again.isfinite().all()
