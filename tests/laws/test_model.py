"""Laws of every model: sized from the data, one number a sample, each by itself where it must."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_cli import build
from gan_cli.constraint.spectral import Spectral
from gan_cli.errors import UserMistake
from gan_cli.model import (
    IMAGE_NORMS,
    VECTOR_NORMS,
    Classed,
    Discriminator,
    Generator,
    Translates,
    has_features,
)
from gan_cli.model.conditional_norm import ConditionalBatchNorm2d
from gan_cli.model.packed import Packed
from gan_cli.model.stddev import MinibatchStd
from tests.conftest import entries
from tests.games import composed, part

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (2, 13, 40), (4, 33, 17), (3, 4, 5)]
NARROW = {"width": 8, "g_width": 8, "d_width": 8, "w_dim": 8, "widest": 16, "most": 16, "code": 8}
CLASSES = 3


def model(name: str, *overrides: str) -> Any:
    """The family, with few channels unless told otherwise."""
    typed = [f"model={name}", *overrides]
    made = build.parts(composed(*typed)).model if overrides else part("model", name)
    named = {override.partition("=")[0].removeprefix("model.") for override in overrides}
    fields = {field.name for field in dataclasses.fields(made)}
    return dataclasses.replace(made, **{k: NARROW[k] for k in NARROW.keys() & fields - named})


def plays(name: str) -> bool:
    """Whether the family has a D, without which there is no game."""
    try:
        model(name).discriminator((1, 28, 28))
    except ValueError:
        return False
    return True


MODELS = [name for name in entries("model") if plays(name)]


def has(made: Any, field: str) -> bool:
    """Whether the family has such a setting."""
    return field in {each.name for each in dataclasses.fields(made)}


def drawing(made: Any, shape: tuple[int, ...], n: int = 3) -> tuple[Generator, Tensor, Any]:
    """A G of the family, codes, and the images it is given if it makes images from images."""
    given = isinstance(made, Translates)
    G = made.translator(shape, shape) if given else made.generator(shape)
    return G, torch.randn(n, G.z_dim), torch.randn(n, *shape).tanh() if given else None


def stirred(net: nn.Module) -> nn.Module:
    """The network in float64 some way from its start, where some weights are 0 for a while."""
    net = net.double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return net


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MODELS)
def test_any_size_that_makes_sense(name, shape):
    """And what is too small for a family is refused with what to type."""
    made = model(name)
    try:
        G, z, c = drawing(made, shape)
    except ValueError as refusal:
        assert min(shape[1:]) < 8
        assert "model=" in str(refusal)
        return
    D = made.discriminator(shape)
    x = G(z, c)
    assert x.shape == (3, *shape)
    assert x.abs().max() <= 1
    assert x.flatten(1).std(1).min() > 1e-3
    out = D(x, None)
    assert len(out) == 3
    assert out.dim() == 1 + getattr(D, "patches", False)  # of patches, a number for each


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_matters(name):
    """No parameter of either player is without a gradient; and they are as good in float64."""
    torch.manual_seed(0)
    made = model(name)
    G, z, c = drawing(made, (1, 28, 28), 4)
    stirred(G), stirred(D := made.discriminator((1, 28, 28)))
    out = D(G(z.double(), None if c is None else c.double()), None)
    assert out.dtype == torch.float64
    weights = {
        f"{n}.{k}": p for n, net in {"G": G, "D": D}.items() for k, p in net.named_parameters()
    }
    gradients = torch.autograd.grad(out.square().sum(), list(weights.values()))
    idle = [name for name, g in zip(weights, gradients, strict=True) if g.abs().max() < 1e-9]
    assert not idle


@pytest.mark.parametrize("name", MODELS)
def test_the_last_layer_of_d_is_by_itself(name):
    """D(x) is its answer to its features, of which there are as many as it says."""
    D = model(name).discriminator((1, 28, 28)).eval()
    x = torch.randn(4, 1, 28, 28)
    if not has_features(D):
        return
    assert isinstance(D, Discriminator)
    h = D.features(x)
    assert h.shape == (4, D.width)
    assert torch.equal(D.answer(h), D(x))
    assert not torch.equal(D.answer(h + 1), D(x))


@pytest.mark.parametrize("name", MODELS)
def test_only_batch_norm_lets_samples_see_each_other(name):
    """The output on a sample does not depend on its batch, unless D has batch norm."""
    made = model(name)
    if has(made, "minibatch_std"):
        made = dataclasses.replace(made, minibatch_std=0)
    for norm in {*IMAGE_NORMS, *VECTOR_NORMS} if has(made, "d_norm") else {"none"}:
        torch.manual_seed(0)
        try:
            kind = dataclasses.replace(made, d_norm=norm) if has(made, "d_norm") else made
        except ValueError:
            continue
        D = kind.discriminator((1, 28, 28)).double()
        x = torch.randn(6, 1, 28, 28).double()
        assert D(x, None).std() > 1e-4, norm  # it does see each sample
        together, apart = D(x, None)[:2], D(torch.cat([x[:2], 3 * x[2:]]), None)[:2]
        assert torch.allclose(together, apart, rtol=1e-9) == (norm != "batch"), norm


@pytest.mark.parametrize("name", MODELS)
def test_a_trained_g_makes_each_sample_by_itself(name):
    """In evaluation mode a sample is a function of its own code and condition."""
    torch.manual_seed(0)
    made = model(name)
    G, z, c = drawing(made, (1, 8, 8), 6)
    G(z, c)  # so that its running statistics are not those it was born with
    G = G.double().eval()
    z, c = z.double(), None if c is None else c.double()
    alone = torch.cat([G(z[i : i + 1], None if c is None else c[i : i + 1]) for i in range(6)])
    assert torch.allclose(G(z, c), alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in MODELS if has(model(name), "d_norm")])
def test_an_unknown_norm_is_refused_with_the_choices(name):
    with pytest.raises(Exception, match="d_norm is one of batch, .*not btach"):
        model(name, "model.d_norm=btach")


# Labels.


def told(name: str, **settings: Any) -> Generator | None:
    """A G of the family that hears of labels by itself, if it can."""
    made = model(name)
    fits = all(has(made, field) for field in settings)
    if not isinstance(made, Classed) or not fits:
        return None
    return dataclasses.replace(made, **settings).classed((1, 8, 8), CLASSES)


@pytest.mark.parametrize("name", MODELS)
def test_a_g_that_hears_of_labels_makes_something_else_of_each(name):
    torch.manual_seed(0)
    if (G := told(name)) is None:
        return
    stirred(G).eval()
    z = torch.randn(1, G.z_dim).double().expand(CLASSES, -1)
    x = G(z, torch.arange(CLASSES))
    assert x.shape == (CLASSES, 1, 8, 8)
    assert (x[0] - x[1]).abs().max() > 1e-3
    assert (x[1] - x[2]).abs().max() > 1e-3
    again = G(z.roll(1, 0), torch.arange(CLASSES).roll(1, 0)).roll(-1, 0)
    assert torch.allclose(again, x)


@pytest.mark.parametrize("name", MODELS)
def test_labels_in_norms_are_told_there_and_nowhere_else(name):
    """With the same scale and shift for each class, the label means nothing."""
    torch.manual_seed(0)
    G = told(name)
    norms = [m for m in G.modules() if isinstance(m, ConditionalBatchNorm2d)] if G else []
    if G is None or not norms:
        return
    stirred(G).eval()
    with torch.no_grad():
        for norm in norms:
            norm.weight.copy_(norm.weight[:1].expand_as(norm.weight))
            norm.bias.copy_(norm.bias[:1].expand_as(norm.bias))
    z = torch.randn(1, G.z_dim).double().expand(CLASSES, -1)
    x = G(z, torch.arange(CLASSES))
    assert torch.allclose(x[:1].expand_as(x), x)
    others = [p for p in G.parameters() if p.dim() == 2 and p.shape[0] == CLASSES]
    assert len(others) == 2 * len(norms)  # nothing else has one of each class


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("norm", ["group", "none"])
def test_labels_need_batch_norms_to_go_into(name, norm):
    try:
        G = told(name, g_norm=norm)
    except ValueError as refusal:
        assert "model.g_norm=batch" in str(refusal)
        assert "condition.g=concat" in str(refusal)
    else:
        assert G is None


# Constraints.


@pytest.mark.parametrize("name", MODELS)
def test_spectral_norm_bounds_each_layer_or_is_refused(name):
    torch.manual_seed(0)
    made = model(name, "critic_norm=none")
    D = made.discriminator((1, 8, 8))
    if Spectral().refuses(D):
        return
    stirred(Spectral(iterations=20).wrap(D))
    layers = [m for m in D.modules() if hasattr(m, "parametrizations")]
    x = torch.randn(2, 1, 8, 8).double()
    for _ in range(10):
        out = D(x, None)
    assert layers
    assert out.isfinite().all()
    D.eval()
    for layer in layers:
        outputs = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        values = torch.linalg.svdvals(layer.weight.detach().movedim(outputs, 0).flatten(1))
        assert float(values[0]) == pytest.approx(1, abs=1e-2)


# The families.


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
