"""Networks against their papers: first weights, sizes, and what each part does by itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from gan_cli.constraint.spectral import Spectral
from gan_cli.constraint.weight_norm import WeightNorm
from gan_cli.model.attention import SelfAttention
from gan_cli.model.conditional_norm import ConditionalBatchNorm2d
from gan_cli.model.dcgan import DCGAN
from gan_cli.model.r3gan import GAIN, R3GAN, Block
from gan_cli.model.resample import ladder, smooth_down, smooth_up
from gan_cli.model.sngan import SNGAN, DownBlock, UpBlock

CIFAR = (3, 32, 32)


def size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def deviation(weights: list[torch.Tensor]) -> float:
    return float(torch.cat([w.detach().flatten() for w in weights]).std())


# Class-conditional batch norm.


def test_conditional_batch_norm_is_batch_norm_with_scales_by_class():
    """De Vries et al. 2017, equation 4: one batch's statistics, each class its scale and shift."""
    torch.manual_seed(0)
    told, plain = ConditionalBatchNorm2d(4, 3), nn.BatchNorm2d(4, affine=False)
    with torch.no_grad():
        told.weight.normal_()
        told.bias.normal_()
    x, c = torch.randn(5, 4, 6, 6), torch.tensor([0, 2, 1, 1, 0])
    for module in (told, plain):
        module(*((x, c) if module is told else (x,)))
    for train in (True, False):
        flat = plain.train(train)(x)
        by_hand = told.weight[c][:, :, None, None] * flat + told.bias[c][:, :, None, None]
        assert torch.allclose(told.train(train)(x, c), by_hand, atol=1e-5)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(getattr(told, name), getattr(plain, name))


def test_an_unknown_label_gets_the_mean_of_all_classes():
    told = ConditionalBatchNorm2d(2, 4).eval()
    with torch.no_grad():
        told.weight.copy_(torch.arange(8.0).view(4, 2))
    x = torch.randn(1, 2, 3, 3)
    one_of_each = told(x.expand(4, -1, -1, -1), torch.arange(4))
    assert torch.allclose(told(x, torch.tensor([-1]))[0], one_of_each.mean(0), atol=1e-6)


def test_dcgan_begins_alike_for_each_class():
    """A norm's scales from N(1, 0.02), its shifts at 0, as without classes."""
    G = DCGAN(width=64).classed((1, 28, 28), 10)
    norms = [m for m in G.modules() if isinstance(m, ConditionalBatchNorm2d)]
    scales = torch.cat([norm.weight.detach().flatten() for norm in norms])
    assert float(scales.mean()) == pytest.approx(1, abs=0.005)
    assert float(scales.std()) == pytest.approx(0.02, rel=0.1)
    assert not any(norm.bias.any() for norm in norms)


# Self-attention.


def test_attention_is_the_identity_at_first():
    attention, x = SelfAttention(16), torch.randn(2, 16, 5, 7)
    assert torch.equal(attention(x), x)


def test_attention_by_hand():
    """Zhang et al. 2018, equations 1 to 3: β_{j,i} = softmax over i of f(x_i) · g(x_j)."""
    torch.manual_seed(0)
    attention, x = SelfAttention(16), torch.randn(1, 16, 2, 3)
    with torch.no_grad():
        attention.gamma.fill_(0.5)
    flat = x.flatten(2)[0]
    f, g, h, v = (getattr(attention, name).weight.flatten(1) for name in "fghv")
    for j in range(6):
        score = torch.stack([(f @ flat[:, i]) @ (g @ flat[:, j]) for i in range(6)])
        seen = sum(b * (h @ flat[:, i]) for i, b in enumerate(score.exp() / score.exp().sum()))
        expected = flat[:, j] + 0.5 * (v @ seen)
        assert torch.allclose(attention(x).flatten(2)[0, :, j], expected, atol=1e-5)


def test_attention_looks_everywhere_and_has_no_places():
    """A place sees every other; moved places give moved answers."""
    torch.manual_seed(0)
    attention = SelfAttention(8)
    nn.init.ones_(attention.gamma)
    x = torch.randn(1, 8, 4, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(attention(x)[0, :, 0, 0].sum(), x)
    assert (slope.abs().sum(1) > 0).all()
    assert torch.allclose(attention(x.roll(1, 3)), attention(x).roll(1, 3), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "at"), [((3, 64, 64), (32, 32)), ((3, 128, 128), (32, 32)), ((1, 28, 28), (14, 14))]
)
def test_both_players_attend_to_the_same_map(shape, at):
    family = SNGAN(g_width=8, d_width=8, attention=True)
    seen = []
    for net, x in (
        (family.generator(shape), torch.randn(1, 128)),
        (family.discriminator(shape), torch.randn(1, *shape)),
    ):
        (attention,) = [m for m in net.modules() if isinstance(m, SelfAttention)]
        attention.register_forward_hook(lambda _, args, __: seen.append(args[0].shape[2:]))
        net(x)
    assert seen == [at, at]


# SNGAN.


def test_sngan_is_the_network_of_its_paper_on_cifar10():
    """Miyato et al. 2018, table 4; 4.3 and 1.1 million weights, counted by hand in blocks."""
    family = SNGAN(g_width=256, d_width=128)
    G, D = family.generator(CIFAR), family.discriminator(CIFAR)
    assert [m.size for m in G.modules() if isinstance(m, UpBlock)] == [(8, 8), (16, 16), (32, 32)]
    assert len([m for m in D.modules() if isinstance(m, DownBlock)]) == 4
    three, one = 9 * 128 * 128 + 128, 128 * 128 + 128
    first = (9 * 3 * 128 + 128) + three + (3 * 128 + 128)
    assert size(D) == first + (2 * three + one) + 2 * (2 * three) + 128 + 1
    block = 2 * 9 * 256 * 256 + 256 * 256 + 2 * 2 * 256
    assert size(G) == 128 * 4096 + 4096 + 3 * block + 2 * 256 + 9 * 256 * 3 + 3
    assert D.features(torch.randn(2, *CIFAR)).shape == (2, 128)


def test_sngan_starts_by_xavier_with_the_gains_of_the_authors():
    """Variance 2/(fan-in + fan-out), times 2 in the branches."""
    D = SNGAN(d_width=64).discriminator(CIFAR)
    blocks = [m for m in D.modules() if isinstance(m, DownBlock)]
    branch = deviation([conv.weight for block in blocks[1:] for conv in (block.conv, block.last)])
    assert branch == pytest.approx(math.sqrt(2 * 2 / (9 * 64 + 9 * 64)), rel=0.02)
    assert deviation([blocks[1].short.weight]) == pytest.approx(math.sqrt(2 / 128), rel=0.05)
    biases = [p for name, p in D.named_parameters() if name.endswith("bias")]
    assert not any(bias.any() for bias in biases)


def test_sngan_sums_up_its_last_maps():
    D = SNGAN(d_width=8).discriminator((1, 8, 8))
    x = torch.randn(2, 1, 8, 8)
    assert torch.allclose(D.features(x), D.layers(x).sum((2, 3)))
    assert (D.layers(x) >= 0).all()  # ReLU before the sum


def test_a_block_without_its_branch_is_bilinear_nowhere():
    """The shortcuts: each value four times on the way up, means of 2×2 on the way down."""
    up, down = UpBlock(3, 4, nn.BatchNorm2d, (7, 8)), DownBlock(3, 4, lambda _: nn.Identity())
    for layer in (up.conv, down.last):
        nn.init.zeros_(layer.weight)
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(up(x), up.short(interpolate(x, scale_factor=2))[..., :7, :], atol=1e-6)
    assert torch.allclose(down(x), down.short(nn.functional.avg_pool2d(x, 2)), atol=1e-6)
    assert down(torch.randn(1, 3, 5, 7)).shape == (1, 4, 3, 4)


# R3GAN.


def test_r3gan_mirrors_g_in_d():
    """The same weights, z's own aside, as on CIFAR-10: as wide at each size, 16 in a group."""
    family = R3GAN(width=96, widest=96, blocks=2)
    G, D = family.generator(CIFAR), family.discriminator(CIFAR)
    block = 2 * 96 * 192 + 9 * 16 * 192 + 2 * 192
    trunk = 8 * block + 16 * 96 + 3 * 96
    assert size(G) == trunk + 64 * 96
    assert size(D) == trunk + 96


def test_r3gan_has_no_norm_and_starts_with_its_blocks_asleep():
    """Fixup: f = 0 in x + f(x); the other layers smaller by the fourth root of their number."""
    family = R3GAN(width=32, widest=64, blocks=2)
    D = family.discriminator((1, 32, 32))
    blocks = [m for m in D.modules() if isinstance(m, Block)]
    assert len(blocks) == 8
    for block in blocks:
        x = torch.randn(1, block.branch[0].in_channels, 4, 4)
        assert torch.equal(block(x), x)
    gain = GAIN * 8**-0.25
    wide = [block.branch[0].weight for block in blocks if block.branch[0].in_channels == 64]
    grouped = [block.branch[2].weight for block in blocks]
    assert deviation(wide) == pytest.approx(gain / math.sqrt(64), rel=0.03)
    assert deviation(grouped) == pytest.approx(gain / math.sqrt(9 * 16), rel=0.03)
    kinds = {type(module).__name__ for module in D.modules()}
    assert not any("Norm" in kind for kind in kinds)


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [(CIFAR, [4, 8, 16, 32]), ((1, 28, 28), [4, 7, 14, 28]), ((1, 8, 8), [4, 8]), ((1, 4, 4), [4])],
)
def test_r3gan_has_a_stage_for_each_size(shape, sizes):
    G = R3GAN(width=8, widest=16).generator(shape)
    assert [height for height, _ in G.sizes] == sizes
    assert G.basis.shape == (G.basis.shape[0], 4, 4)


def test_g_is_linear_in_z_while_its_blocks_are_asleep():
    G = R3GAN(width=8, widest=16).generator((1, 8, 8)).double()
    z = 1e-3 * torch.randn(3, 64).double()
    assert torch.allclose(G(2 * z), 2 * G(z), rtol=1e-4)


@pytest.mark.parametrize("constraint", [Spectral(), WeightNorm()])
def test_what_divides_by_weights_refuses_those_that_begin_at_0(constraint):
    D = R3GAN(width=8, widest=16).discriminator((1, 8, 8))
    assert "constraint=free" in constraint.refuses(D)
    assert constraint.refuses(SNGAN(d_width=8).discriminator((1, 8, 8))) is None


# Resampling.


def test_up_is_bilinear_and_down_its_transpose():
    torch.manual_seed(0)
    x, y = torch.randn(2, 3, 5, 4).double(), torch.randn(2, 3, 9, 8).double()
    inner = interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)[..., 1:-1, 1:-1]
    assert torch.allclose(smooth_up(x, (10, 8))[..., 1:-1, 1:-1], inner)
    assert float((smooth_up(x, (9, 8)) * y).sum()) == pytest.approx(
        4 * float((x * smooth_down(y)).sum())
    )


def test_down_blurs_before_it_leaves_values_out():
    """1-3-3-1 over 8: a constant stays, a checkerboard vanishes."""
    assert torch.allclose(smooth_down(torch.ones(1, 2, 8, 8))[..., 1:-1, 1:-1], torch.ones(2, 2))
    board = torch.ones(8, 8)
    board[::2, ::2], board[1::2, 1::2] = -1, -1
    assert torch.allclose(smooth_down(board[None, None])[..., 1:-1, 1:-1], torch.zeros(2, 2))


@pytest.mark.parametrize(
    ("image", "least", "sizes"),
    [((28, 28), 4, [28, 14, 7, 4]), ((33, 40), 8, [33, 17, 9, 5]), ((4, 4), 4, [4])],
)
def test_a_ladder_halves_rounding_up(image, least, sizes):
    assert [height for height, _ in ladder(image, least)] == sizes


# What can't be.


@pytest.mark.parametrize(
    ("family", "shape"),
    [(SNGAN(), (1, 7, 9)), (SNGAN(), (2,)), (R3GAN(), (1, 3, 9)), (R3GAN(), (2,))],
)
def test_what_is_no_image_is_refused_with_another_model(family, shape):
    for make in (family.generator, family.discriminator):
        with pytest.raises(ValueError, match="model=mlp|or mlp"):
            make(shape)


@pytest.mark.parametrize(
    ("family", "wrong"),
    [
        (SNGAN, {"g_width": 0}),
        (SNGAN, {"growth": 0}),
        (R3GAN, {"widest": 8}),
        (R3GAN, {"blocks": 0}),
    ],
)
def test_impossible_sizes_are_refused(family, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        family(**wrong)
