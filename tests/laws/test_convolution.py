"""Convolutions of stride 2: their own gradients are torch's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from gan_cli.fast.calls import Calls
from gan_cli.model.convolution import ConvDown, ConvUp, ToImage, by_product, flat, layout_of
from gan_cli.model.dcgan import DCGAN

LAYERS = {ConvDown: nn.Conv2d, ConvUp: nn.ConvTranspose2d, ToImage: nn.ConvTranspose2d}
SIZES = ((4, 6), (7, 5), (2, 9))


def pair(kind, channels, bias, dtype=torch.float64, out=5):
    """A layer, and torch's with the same weights."""
    torch.manual_seed(0)
    mine = kind(channels, out, bias).to(dtype)
    plain = LAYERS[kind](channels, out, 4, 2, 1, bias=bias).to(dtype)
    plain.load_state_dict(mine.state_dict(), strict=True)
    return mine, plain


def slopes(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """The output and its gradients: all at once, by themselves, left in `.grad`, and again."""
    weights = list(layer.parameters())
    loss = lambda: layer(x).sin().sum()  # noqa: E731
    out, first = layer(x), torch.autograd.grad(loss(), [x, *weights], create_graph=True)
    again = torch.autograd.grad(sum(t.square().sum() for t in first), [x, *weights])
    alone = [torch.autograd.grad(loss(), one)[0] for one in (x, *weights)]
    loss().backward(inputs=weights)
    return [out, *first, *again, *alone, *(w.grad for w in weights if w.grad is not None)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("kind", list(LAYERS))
def test_they_are_torchs_with_their_first_and_second_gradients(kind, channels, height, width, bias):
    mine, plain = pair(kind, channels, bias)
    x = torch.randn(3, channels, height, width, dtype=torch.float64, requires_grad=True)
    for one, other in zip(slopes(mine, x), slopes(plain, x), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", [ConvDown, ConvUp])
def test_gradients_are_slopes_to_the_second_order(kind):
    layer, _ = pair(kind, 2, True, out=2)
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    weight, bias = layer.weight, layer.bias

    def of(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        held = {"weight": weight, "bias": bias}
        return torch.func.functional_call(layer, held, (x,)).sin()

    assert gradcheck(of, (x, weight, bias))
    assert gradgradcheck(of, (x, weight, bias))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_product_of_matrices_is_the_gradient_in_the_weights(height, width):
    x = torch.randn(3, 6, height, width, dtype=torch.float64)
    plain = pair(ConvDown, 6, False)[1]
    slope = torch.randn_like(plain(x))
    (wanted,) = torch.autograd.grad(plain(x), plain.weight, slope)
    torch.testing.assert_close(by_product(slope, x), wanted)
    assert layout_of(by_product(slope, x)) == torch.channels_last


class Seen(Calls):
    """Notes the names of operations."""

    def __init__(self):
        super().__init__()
        self.names = []

    def call(self, func, args, kwargs):
        self.names.append(func.overloadpacket.__name__)
        return super().call(func, args, kwargs)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("kind", [ConvDown, ConvUp])
def test_in_bfloat16_it_is_that_product_as_exact_and_only_where_asked_for(kind, last):
    mine, plain = pair(kind, 32, True, torch.float32, out=48)
    layout = torch.channels_last if last else torch.contiguous_format
    x = torch.randn(16, 32, 8, 8).to(memory_format=layout).requires_grad_()
    exact = plain.double()(x.double())
    slope = torch.randn_like(exact)
    (wanted,) = torch.autograd.grad(exact, plain.weight, slope)
    mine, plain = mine.to(memory_format=layout), plain.float().to(memory_format=layout)
    errors = []
    for layer, products in ((mine, 1), (plain, 0)):
        with torch.autocast("cpu", torch.bfloat16):
            out = layer(x)
        assert out.dtype == torch.bfloat16
        with Seen() as seen:
            torch.autograd.grad(out, x, slope.bfloat16(), retain_graph=True)
        assert "mm" not in seen.names
        with Seen() as seen:
            (found,) = torch.autograd.grad(out, layer.weight, slope.bfloat16())
        assert seen.names.count("mm") == products
        assert found.dtype == torch.float32
        assert not products or layout_of(found) == torch.channels_last
        errors.append(float((found - wanted).norm() / wanted.norm()))
    assert errors[0] <= 1.1 * errors[1] < 0.01


def test_what_is_not_asked_for_is_not_computed():
    """G learns through D, and D from images, of which nobody asks the gradient."""
    layer, _ = pair(ConvDown, 3, True, torch.float32)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    seen = []
    for asked in (x, layer.weight):
        out = layer(x)
        with Seen() as one:
            torch.autograd.grad(out.sum(), asked)
        seen.append(one.names)
    whether = [["convolution_backward" in names, "convolution" in names] for names in seen]
    assert whether == [[False, True], [True, False]]


def test_torch_func_has_its_way():
    D = DCGAN(width=4).discriminator((1, 16, 16)).eval()
    x = torch.randn(3, 1, 16, 16, requires_grad=True)
    each = torch.func.vmap(torch.func.grad(lambda one: D(one[None]).sum()))(x.detach())
    (together,) = torch.autograd.grad(D(x).sum(), x)
    torch.testing.assert_close(each, together)


@pytest.mark.parametrize("kind", list(LAYERS))
def test_an_output_has_the_same_bits_whether_anything_learns_from_it(kind):
    layer, _ = pair(kind, 3, True, torch.float32)
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        without = layer(x)
    assert torch.equal(layer(x), without)


# Layouts.


@pytest.mark.parametrize("last", [True, False])
def test_a_gradient_comes_back_in_the_layout_of_the_map(last):
    layout = torch.channels_last if last else torch.contiguous_format
    x = torch.randn(2, 3, 4, 4).to(memory_format=layout).requires_grad_()
    assert torch.equal(flat(x * 1), x.flatten(1))
    slope = torch.randn(2, 48)
    inner = x * 1
    slopes = []
    inner.register_hook(lambda g: slopes.append(layout_of(g)))
    out = flat(inner)
    inner.register_hook(lambda g: slopes.append(layout_of(g)))
    (found,) = torch.autograd.grad(out, x, slope)
    assert torch.equal(found, slope.view(2, 3, 4, 4))
    assert slopes == [torch.contiguous_format, layout]


@pytest.mark.parametrize("last", [True, False])
def test_all_of_a_dcgan_is_in_one_layout_forth_and_back(last):
    layout = torch.channels_last if last else torch.contiguous_format
    size, seen = DCGAN(width=8), []

    def look(module, args, out):
        if isinstance(module, nn.BatchNorm2d | nn.ReLU | nn.LeakyReLU):
            seen.append(layout_of(out))
        if isinstance(module, nn.BatchNorm2d):
            out.register_hook(lambda slope: seen.append(layout_of(slope)))

    G, D = size.generator((3, 16, 16)), size.discriminator((3, 16, 16))
    for net in (G, D):
        net.to(memory_format=layout)
        for module in net.modules():
            module.register_forward_hook(look)
    D(G(torch.randn(4, size.z_dim))).sum().backward()
    assert seen
    assert set(seen) == {layout}
