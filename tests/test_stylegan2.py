"""StyleGAN2: modulation, mixing, truncation, the mean style, and the path-length penalty."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d

from gan_cli.batch import Batch
from gan_cli.condition import told_beside_z, told_in_norms
from gan_cli.model import modulated, stylegan2
from gan_cli.model.mlp import MLP
from gan_cli.model.stddev import MinibatchStd
from gan_cli.model.stylegan2 import StyleGAN2
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from gan_cli.term import Played
from gan_cli.term.path_length import PathLength, path_length

SHAPES = [(1, 28, 28), (3, 64, 64), (2, 13, 40), (4, 33, 17), (3, 4, 5), (1, 8, 8)]
FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
SQUARE = FILTER[:, None] * FILTER / 64


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def small(**more) -> StyleGAN2:
    return StyleGAN2(**{"z_dim": 8, "w_dim": 8, "depth": 2, "width": 4, **more})


def generator(shape=(1, 8, 8), **more):
    G = small(**more).generator(shape)
    for module in G.modules():  # as after some training
        if isinstance(module, modulated.StyledConv):
            nn.init.constant_(module.strength, 0.3)
    return G


@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_any_size(shape):
    model = small()
    x = model.generator(shape)(torch.randn(3, 8))
    assert x.shape == (3, *shape)
    assert x.abs().max() <= 1
    assert model.discriminator(shape)(x).shape == (3,)


@pytest.mark.parametrize("classes", [0, 3])
def test_every_weight_matters(classes):
    G, D = small().classed((1, 28, 28), classes), small().discriminator((1, 28, 28))
    out = D(G(torch.randn(4, 8), torch.tensor([0, 1, 2, 2])))
    weights = [*G.parameters(), *D.parameters()]
    gradients = torch.autograd.grad(out.square().sum(), weights)
    assert all(slope.abs().sum() > 0 for slope in gradients)


def weights(*layers: nn.Module) -> list[int]:
    return [sum(weight.numel() for weight in layer.parameters()) for layer in layers]


def test_layers_have_as_many_weights_as_the_authors():
    """Counts that their training log tells of layers of 512, 256 and, in D, 32 and 64 channels."""
    first, up = (modulated.StyledConv(512, n, 512, (4, 4)) for n in (512, 256))
    assert weights(first, up) == [2622465, 1442561]
    assert weights(modulated.ToImage(512, 3, 512)) == [264195]
    assert weights(modulated.EqualLinear(512, 512)) == [262656]
    D = StyleGAN2(width=32, most=64).discriminator((3, 8, 8))
    block = D.blocks[0]
    assert weights(D.image, block.around, block.first, block.second) == [128, 2048, 9248, 18496]


@pytest.mark.parametrize("double", [True, False])
def test_scaling_the_input_and_the_output_is_scaling_the_kernels(double):
    """Equations 1 and 3 as they stand: a kernel for each sample, of unit norm for each output."""
    layer = modulated.Modulated(3, 5, 4, double=double).double()
    x, w = torch.randn(2, 3, 6, 7).double(), torch.randn(2, 4).double()
    for i in range(2):
        kernel = layer.scaled() * layer.style(w)[i][:, None, None]
        kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if double:
            y = conv_transpose2d(x[i : i + 1], kernel.transpose(0, 1), stride=2)
            taps = 4 * SQUARE[None, None].expand(5, 1, 4, 4)
            y = conv2d(y, taps, padding=1, groups=5)
        else:
            y = conv2d(x[i : i + 1], kernel, padding=1)
        assert torch.allclose(layer(x, w)[i : i + 1], y, rtol=1e-9, atol=1e-9)


def test_demodulated_output_has_unit_size_whatever_the_style():
    layer = modulated.Modulated(16, 8, 4)
    x, w = torch.randn(2, 16, 32, 32), torch.randn(2, 4)
    with torch.no_grad():
        layer.style.bias.mul_(50)
    assert layer(x, w)[..., 1:-1, 1:-1].std().item() == pytest.approx(1, abs=0.1)


def test_an_image_is_a_1x1_convolution_of_styled_channels():
    layer = modulated.ToImage(5, 3, 4).double()
    x, w = torch.randn(2, 5, 6, 7).double(), torch.randn(2, 4).double()
    by_hand = conv2d(x * layer.style(w)[..., None, None], layer.scaled()[..., None, None])
    assert torch.allclose(layer(x, w), by_hand)


def test_the_filter_is_1_3_3_1():
    x = torch.randn(2, 3, 9, 8).double()
    by_hand = conv2d(x, 2 * SQUARE[None, None].expand(3, 1, 4, 4), groups=3)
    assert torch.allclose(modulated.smooth(x, gain=2.0), by_hand)


def test_an_image_is_doubled_by_the_filter():
    """Zeros between the pixels, then the filter: inside the borders, that is bilinear."""
    x = torch.randn(2, 1, 6, 7).double()
    taps = (4 * SQUARE)[None, None]
    by_hand = conv_transpose2d(x, taps, stride=2, padding=1)
    inside = (..., slice(1, -1), slice(1, -1))
    assert torch.allclose(stylegan2.doubled(x, (12, 14))[inside], by_hand[inside])
    assert stylegan2.doubled(x, (11, 13)).shape == (2, 1, 11, 13)


def test_weights_learn_at_equal_rates():
    """Adam moves the used weights of a layer in proportion to their size, times its pace."""
    for pace in (1.0, 0.01):
        for inputs in (4, 400):
            layer = modulated.EqualLinear(inputs, 50, pace=pace)
            before = layer.scaled().detach()
            assert before.std().item() == pytest.approx(inputs**-0.5, rel=0.2)
            (slope,) = torch.autograd.grad(layer(torch.randn(8, inputs)).sum(), layer.weight)
            with torch.no_grad():
                layer.weight -= 0.01 * slope.sign()  # as Adam's first step
            moved = (layer.scaled() - before).abs().mean() * math.sqrt(inputs)
            assert moved.item() == pytest.approx(0.01 * pace, rel=0.05)


def test_a_sample_is_a_function_of_its_code_whatever_the_batch():
    G = generator((1, 28, 28))
    sampler = Sampler(G, Space((1, 28, 28)))
    samples = sampler.sample(40, seed=3, batch=64)
    assert torch.equal(samples, sampler.sample(40, seed=3, batch=8))
    assert torch.equal(samples[:9], sampler.sample(9, seed=3, batch=24))


def test_noise_is_new_in_training_and_fixed_in_evaluation():
    G, z = generator(mixing=0.0), torch.randn(2, 8)
    assert not torch.equal(G(z), G(z))
    G.eval()
    assert torch.equal(G(z), G(z))
    quiet, z = small(mixing=0.0).generator((1, 8, 8)), torch.randn(2, 8)
    assert torch.equal(quiet(z), quiet.eval()(z))  # it has no strength to begin with


def test_only_the_direction_of_z_counts():
    G, z = generator().eval(), torch.randn(2, 8)
    assert torch.allclose(G(z), G(5 * z), atol=1e-5)


def test_styles_are_mixed_with_a_neighbours_from_a_random_layer_on():
    G, z = generator((1, 28, 28), mixing=0.5), torch.randn(400, 8)
    w = G.mapping(z)
    own = G.f(z)[:, None]
    others = own.roll(1, 0)
    layers = G.synthesis.layers
    mine, theirs = ((w == one).all(2) for one in (own, others))
    assert (mine ^ theirs).all()
    assert mine[:, 0].all()
    assert (mine.int().diff() <= 0).all()
    mixed = ~mine.all(1)
    assert mixed.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert set(mine[mixed].sum(1).tolist()) == set(range(1, layers))
    G.mixing = 0.0
    assert torch.equal(G.mapping(z), own.expand_as(w))


def test_the_mean_style_is_tracked_in_training_alone():
    G, z = generator(), torch.randn(100, 8)
    for _ in range(1500):
        G.mapping(z)
    assert torch.allclose(G.w_avg, G.f(z).mean(0), rtol=0.01, atol=1e-3)
    before = G.w_avg.clone()
    G.eval()(torch.randn(8, 8))
    assert torch.equal(G.w_avg, before)
    assert "w_avg" in G.state_dict()
    assert torch.equal(copy.deepcopy(G).w_avg, before)


def test_truncation_pulls_styles_to_the_mean():
    G, z = generator().eval(), torch.randn(4, 8)
    G.w_avg.copy_(torch.arange(8.0))
    full, plain = G.mapping(z), G(z)
    G.psi = 0.5
    assert torch.allclose(G.mapping(z), (full + G.w_avg) / 2)
    G.psi = 0.0
    assert torch.allclose(G(z), G(z)[:1].expand(4, -1, -1, -1), atol=1e-6)
    G.psi = 1.0
    assert torch.equal(G(z), plain)


@pytest.mark.parametrize("told", [told_in_norms, told_beside_z])
def test_labels_join_z_before_the_mapping_network(told):
    """And styles are never mixed with those of another label."""
    G = told(small(mixing=1.0), Space((1, 8, 8), ("a", "b", "c")))
    z, c = torch.randn(1, 8).expand(30, -1), torch.arange(30) % 3
    w = G.mapping(z, c)
    assert torch.equal(w, w[:, :1].expand_as(w))
    assert torch.equal(w[3:], w[:-3])
    assert not torch.allclose(w[0], w[1])
    G.eval()
    z = torch.randn(1, 8).expand(4, -1)
    x = G(z, torch.tensor([0, 1, 2, -1]))
    assert (x[:, None] - x[None]).flatten(2).norm(dim=2).add(torch.eye(4)).min() > 1e-3
    assert G.z_dim == 8


def test_the_group_of_a_sample_is_heard_by_d():
    D = small(minibatch_std=2).discriminator((1, 8, 8))
    x = torch.randn(8, 1, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(D(x)[0], x)
    assert [i for i in range(8) if gradient[i].abs().sum() > 0] == [0, 4]
    D = small(minibatch_std=0).discriminator((1, 8, 8))
    assert not [m for m in D.modules() if isinstance(m, MinibatchStd)]
    assert torch.allclose(D(x)[:2], D(x[:2]), atol=1e-5)


def test_d_sees_every_pixel():
    D = small().discriminator((1, 13, 9))
    x = torch.randn(2, 1, 13, 9, requires_grad=True)
    (gradient,) = torch.autograd.grad(D(x).sum(), x)
    assert (gradient != 0).all()


@pytest.mark.parametrize("shape", [(2,), (1, 3, 9)])
def test_it_says_what_it_cannot_draw(shape):
    for make in (small().generator, small().discriminator):
        with pytest.raises(ValueError, match="model=mlp"):
            make(shape)


@pytest.mark.parametrize(
    ("field", "value"),
    [("mixing", 1.5), ("mixing", -0.1), ("minibatch_std", 1), ("depth", 0), ("most", 0)],
)
def test_impossible_values_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        replace(StyleGAN2(), **{field: value})


# Path length


class Rotation(nn.Module):
    """A G of styles whose synthesis turns them and stretches them by s."""

    def __init__(self, s: float):
        super().__init__()
        turn, _ = torch.linalg.qr(torch.randn(16, 16).double())
        self.turn = nn.Parameter(s * turn)

    def mapping(self, z, c):
        return z[:, None]

    def synthesis(self, w):
        return (w[:, 0] @ self.turn).view(-1, 1, 4, 4)


def played(G, n=6, dim=16, c=None) -> Played:
    z = torch.randn(n, dim).double().requires_grad_()
    fake = Batch(torch.zeros(n, 1, 4, 4).double(), c, z)
    return Played(G, None, fake, fake)


@pytest.mark.parametrize("s", [0.5, 3.0])
def test_a_stretched_turn_has_the_length_of_its_stretch(s):
    """‖Jᵀy‖ = s ‖y‖, and nothing is paid where a is that."""
    G, term = Rotation(s), PathLength(weight=2.0)
    term.memory["a"] = torch.tensor(s / 2)
    torch.manual_seed(1)
    at = played(G)
    torch.manual_seed(2)
    paid = term(at)
    torch.manual_seed(2)
    lengths = s * (torch.randn(6, 1, 4, 4, dtype=torch.float64) / 4).flatten(1).norm(dim=1)
    a = s / 2 + 0.01 * (lengths.mean() - s / 2)
    assert torch.allclose(paid, 2 * (lengths - a).square(), rtol=1e-6)
    assert term.memory["a"].item() == pytest.approx(a.item())


def test_the_length_is_that_of_an_explicit_jacobian():
    """The root mean square over the layers, in float64, of a real synthesis network."""
    G = generator((2, 4, 5), w_dim=3).double().eval()
    z = torch.randn(2, 8).double()
    torch.manual_seed(5)
    lengths = path_length(G, z, None)
    torch.manual_seed(5)
    y = torch.randn(2, 2, 4, 5, dtype=torch.float64) / math.sqrt(20)
    for i in range(2):
        w = G.mapping(z)[i : i + 1].detach()
        J = torch.autograd.functional.jacobian(G.synthesis, w)[0]  # (2, 4, 5, 1, layers, 3)
        slope = torch.einsum("chw,chwnld->ld", y[i], J)
        assert lengths[i].item() == pytest.approx(slope.square().sum(1).mean().sqrt().item())


def test_g_learns_from_it_and_it_is_finite_where_g_is_flat():
    G = generator(w_dim=4).double()
    paid = PathLength()(played(G, dim=8)).mean()
    gradients = torch.autograd.grad(paid, list(G.synthesis.parameters()), allow_unused=True)
    assert any(slope is not None and slope.abs().sum() > 0 for slope in gradients)
    flat = Rotation(0.0)
    (slope,) = torch.autograd.grad(PathLength()(played(flat)).sum(), [flat.turn])
    assert slope.isfinite().all()


def test_the_mean_length_goes_to_the_length():
    term, G = PathLength(decay=0.1), Rotation(2.0)
    for _ in range(100):
        term(played(G, 64))
    assert term.memory["a"].item() == pytest.approx(2.0, rel=0.05)
    assert PathLength().memory["a"] == 0  # each has its own


def test_a_g_without_styles_is_refused_with_what_to_type():
    term, space = PathLength(), Space((1, 8, 8), ("a", "b"))
    assert term.refuses(small().generator((1, 8, 8)), None, space) is None
    assert term.refuses(small().classed((1, 8, 8), 2), None, space) is None
    assert "model=stylegan2" in term.refuses(MLP().generator((1, 8, 8)), None, space)
    assert term.refuses(told_beside_z(small(), space), None, space) is None


@pytest.mark.parametrize(
    ("field", "value"), [("weight", -1.0), ("decay", 0.0), ("decay", 1.5), ("every", 0)]
)
def test_impossible_numbers_of_the_penalty_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        replace(PathLength(), **{field: value})
