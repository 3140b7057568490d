"""Laws of every model: sized from the data, one number a sample, each by itself where it must."""

from __future__ import annotations

import pytest
import torch

from gan_cli import build
from gan_cli.model import IMAGE_NORMS, VECTOR_NORMS
from tests.conftest import entries
from tests.games import composed

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (2, 13, 40), (4, 33, 17), (3, 4, 5)]


def model(name: str, *overrides: str):
    return build.parts(composed(f"model={name}", "model.width=8", *overrides)).model


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", entries("model"))
def test_any_size_that_makes_sense(name, shape):
    made = model(name)
    G, D = made.generator(shape), made.discriminator(shape)
    x = G(torch.randn(3, G.z_dim), None)
    assert x.shape == (3, *shape)
    assert x.abs().max() <= 1
    assert D(x, None).shape == (3,)


@pytest.mark.parametrize("name", entries("model"))
def test_every_weight_matters(name):
    """No parameter of either player is without a gradient."""
    made = model(name)
    G, D = made.generator((1, 28, 28)), made.discriminator((1, 28, 28))
    out = D(G(torch.randn(4, G.z_dim), None), None)
    weights = [*G.parameters(), *D.parameters()]
    gradients = torch.autograd.grad(out.square().sum(), weights)
    assert all(g.abs().sum() > 0 for g in gradients)


def norms(name: str) -> list[str]:
    return list(VECTOR_NORMS if name.startswith("mlp") else IMAGE_NORMS)


CHOICES = [(name, norm) for name in entries("model") for norm in norms(name)]


@pytest.mark.parametrize(("name", "norm"), CHOICES)
def test_only_batch_norm_lets_samples_see_each_other(name, norm):
    """The output on a sample does not depend on its batch, unless D has batch norm."""
    torch.manual_seed(0)
    D = model(name, f"model.d_norm={norm}").discriminator((1, 28, 28))
    x = torch.randn(6, 1, 28, 28)
    assert D(x, None).std() > 1e-3  # it does see each sample
    together, apart = D(x, None)[:2], D(torch.cat([x[:2], 3 * x[2:]]), None)[:2]
    assert torch.allclose(together, apart, atol=1e-5) == (norm != "batch")


@pytest.mark.parametrize("name", entries("model"))
def test_an_unknown_norm_is_refused_with_the_choices(name):
    with pytest.raises(Exception, match="d_norm is one of batch, .*not btach"):
        model(name, "model.d_norm=btach")


def test_mlp_makes_points():
    made = model("mlp")
    G, D = made.generator((2,)), made.discriminator((2,))
    x = G(torch.randn(5, G.z_dim))
    assert x.shape == (5, 2)
    assert D(x).shape == (5,)


@pytest.mark.parametrize("shape", [(2,), (1, 3, 9)])
def test_dcgan_says_what_it_cannot_draw(shape):
    with pytest.raises(ValueError, match="model=mlp"):
        model("dcgan").generator(shape)


def test_dcgan_starts_as_its_paper_says():
    D = model("dcgan", "model.width=64").discriminator((3, 64, 64))
    weights = torch.cat([p.flatten() for p in D.parameters() if p.dim() == 4])
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)
