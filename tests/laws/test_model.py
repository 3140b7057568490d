"""Laws of every model: sized from the data, one number a sample, each by itself where it must."""

from __future__ import annotations

import pytest
import torch

from gan_cli import build
from gan_cli.errors import UserMistake
from gan_cli.model import IMAGE_NORMS, VECTOR_NORMS
from gan_cli.model.packed import Packed
from gan_cli.model.stddev import MinibatchStd
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


TELLS = ["mlp", "mlp_toy", "dcgan"]  # models whose D can be told how samples differ


@pytest.mark.parametrize("name", TELLS)
def test_minibatch_std_tells_d_of_its_group_alone(name):
    """Samples of a group see each other; and with 0 none does."""
    torch.manual_seed(0)
    D = model(name, "model.d_norm=none", "model.minibatch_std=2").discriminator((1, 8, 8))
    x = torch.randn(8, 1, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(D(x, None)[0], x)
    assert [i for i in range(8) if gradient[i].abs().sum() > 0] == [0, 4]
    assert len([m for m in D.modules() if isinstance(m, MinibatchStd)]) == 1
    same = D(x[:1].expand(8, -1, -1, -1), None)
    assert torch.allclose(same, same[:1].expand(8))


def test_minibatch_std_by_hand():
    """Karras et al. 2017, section 3: the deviation of each feature over a group, their mean."""
    features = torch.tensor([[0.0, 0.0], [5.0, 5.0], [2.0, 4.0], [5.0, 5.0]])
    out = MinibatchStd(2)(features)
    assert torch.equal(out[:, :2], features)
    assert out[:, 2].tolist() == pytest.approx([1.5, 1e-4, 1.5, 1e-4])


@pytest.mark.parametrize(("size", "n", "group"), [(4, 8, 4), (4, 6, 3), (4, 7, 1), (16, 6, 6)])
def test_a_group_is_as_many_as_divide_the_batch(size, n, group):
    features = torch.zeros(n, 1)
    features[0] = 1.0
    told = MinibatchStd(size)(features)[:, 1]
    assert (told == told[0]).sum() == (group if group > 1 else n)


@pytest.mark.parametrize("name", TELLS)
@pytest.mark.parametrize("size", [-1, 1])
def test_a_group_of_one_is_refused(name, size):
    with pytest.raises(Exception, match="minibatch_std is a group of 2"):
        model(name, f"model.minibatch_std={size}")


@pytest.mark.parametrize("shape", [(2,), (3, 8, 8)])
def test_a_packed_d_judges_groups(shape):
    """Lin et al. 2018: consecutive samples are one input of D, and share its answer."""
    torch.manual_seed(0)
    inner = model("mlp").discriminator((3 * shape[0], *shape[1:]))
    D, x = Packed(inner, 3), torch.randn(6, *shape, requires_grad=True)
    out = D(x, None)
    assert out.shape == (6,)
    by_hand = inner(torch.stack([torch.cat(list(x[i : i + 3])) for i in (0, 3)]))
    assert torch.equal(out, by_hand.repeat_interleave(3))
    (gradient,) = torch.autograd.grad(out[4], x)
    assert [i for i in range(6) if gradient[i].abs().sum() > 0] == [3, 4, 5]
    assert D.crosses_samples


def test_what_cannot_be_packed_is_refused_with_the_fix():
    D = Packed(model("mlp").discriminator((8,)), 4)
    with pytest.raises(UserMistake, match="batch_size .* a multiple of 4"):
        D(torch.zeros(6, 2))
    assert D(torch.zeros(8, 2), torch.zeros(8)).shape == (8,)  # conditions are no hindrance
    with pytest.raises(ValueError, match="pack is a number of samples"):
        Packed(D, 0)
