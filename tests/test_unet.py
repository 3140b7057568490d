"""Images from images: the U-Net of pix2pix, and D that judges patches."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from gan_cli.model.dcgan import DCGAN
from gan_cli.model.patch import Patch
from gan_cli.model.patchwise import PatchDiscriminator, field
from gan_cli.model.unet import UNet

SMALL = UNet(z_dim=3, width=4)
PAIRS = [  # what is made, of what is given
    ((1, 28, 28), (1, 28, 28)),
    ((1, 28, 28), (1, 7, 7)),
    ((3, 32, 32), (1, 32, 32)),
    ((1, 8, 8), (4, 8, 8)),
    ((2, 13, 40), (2, 6, 20)),
    ((4, 33, 17), (1, 64, 64)),
    ((3, 4, 5), (3, 1, 1)),
]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(("shape", "given"), PAIRS)
def test_any_image_from_any_image(shape, given):
    G, D = SMALL.translator(shape, given), SMALL.discriminator(shape)
    x = G(torch.randn(3, 3), torch.rand(3, *given) * 2 - 1)
    assert x.shape == (3, *shape)
    assert x.abs().max() <= 1
    assert D(x).shape[0] == 3
    assert D(x).dim() == 2


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_every_weight_matters(norm):
    model = replace(SMALL, g_norm=norm, d_norm=norm)
    G, D = model.translator((1, 28, 28), (1, 14, 14)), model.discriminator((1, 28, 28))
    out = D(G(torch.randn(4, 3), torch.randn(4, 1, 14, 14)))
    weights = [*G.parameters(), *D.parameters()]
    gradients = torch.autograd.grad(out.square().sum(), weights)
    assert all(slope.abs().sum() > 0 for slope in gradients)


def test_it_is_told_both_the_code_and_the_image():
    G = SMALL.translator((1, 16, 16), (1, 16, 16)).eval()
    z, c = torch.randn(1, 3, requires_grad=True), torch.randn(1, 1, 16, 16, requires_grad=True)
    of_z, of_c = torch.autograd.grad(G(z, c).square().sum(), [z, c])
    assert (of_z != 0).all()
    assert (of_c != 0).all()


def test_it_is_as_deep_as_in_the_paper_for_images_of_256():
    """Eight halvings there, to one pixel; here one fewer, to two. Channels to eight times 64."""
    G = UNet().translator((3, 256, 256), (3, 256, 256))
    assert G.sizes[-1] == (2, 2)
    outs = [m.out_channels for m in G.modules() if isinstance(m, nn.Conv2d)]
    assert outs == [64, 128, 256, 512, 512, 512, 512]


def test_dropout_is_for_training():
    G = replace(SMALL, dropout=0.5, g_norm="none").translator((1, 16, 16), (1, 16, 16))
    z, c = torch.randn(2, 3), torch.randn(2, 1, 16, 16)
    assert not torch.equal(G(z, c), G(z, c))
    G.eval()
    assert torch.equal(G(z, c), G(z, c))


def test_without_an_image_it_says_what_to_type():
    with pytest.raises(ValueError, match=r"task=superres .* model=dcgan"):
        SMALL.generator((1, 28, 28))
    with pytest.raises(ValueError, match="model=mlp"):
        SMALL.translator((2,), (1, 8, 8))
    with pytest.raises(ValueError, match="4×4"):
        SMALL.translator((1, 3, 8), (1, 8, 8))


@pytest.mark.parametrize(
    ("name", "value"),
    [("z_dim", 0), ("width", 0), ("layers", -1), ("dropout", 1.0), ("g_norm", "btach")],
)
def test_impossible_values_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        replace(UNet(), **{name: value})


# Patches


def test_the_patches_of_the_paper():
    """Isola et al. 2016, section 4.4: 16×16 and 70×70; 30×30 of the latter in 256×256."""
    assert [field(halves) for halves in range(4)] == [7, 16, 34, 70]
    D = Patch(width=4).discriminator((3, 256, 256))
    assert D(torch.zeros(1, 3, 256, 256)).shape == (1, 900)


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_a_number_depends_on_its_patch_alone(layers):
    D = Patch(width=4, layers=layers, d_norm="none").discriminator((1, 64, 64))
    x = torch.randn(1, 1, 64, 64, requires_grad=True)
    out = D(x)
    (gradient,) = torch.autograd.grad(out[0, out.shape[1] // 2 + int(out.shape[1] ** 0.5) // 2], x)
    touched = gradient[0, 0] != 0
    for axis in (0, 1):
        places = touched.any(axis).nonzero()
        assert places.max() - places.min() + 1 == field(layers)


@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 8, 8), (3, 16, 40), (1, 28, 28), (2, 33, 70)])
def test_patches_are_no_larger_than_a_small_image(shape):
    D = Patch(width=4).discriminator(shape)
    halves = sum(m.stride == (2, 2) for m in D.modules() if isinstance(m, nn.Conv2d))
    side = min(shape[1:])
    assert field(halves) <= max(side, 7)
    assert field(halves + 1) > side
    assert D(torch.zeros(2, *shape)).shape[1] > 1


def test_it_starts_as_dcgan_does():
    D = Patch().discriminator((3, 64, 64))
    weights = torch.cat([p.flatten() for p in D.parameters() if p.dim() == 4])
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)
    mine = {type(m) for m in D.modules()} - {PatchDiscriminator}
    theirs = DCGAN().discriminator((3, 64, 64)).modules()
    assert mine <= {kind for m in theirs for kind in type(m).__mro__}


@pytest.mark.parametrize("shape", [(2,), (1, 3, 9)])
def test_what_has_no_patches_is_refused(shape):
    for model in (Patch(), UNet()):
        with pytest.raises(ValueError, match="patches of images"):
            model.discriminator(shape)


def test_patches_judge_and_make_nothing():
    with pytest.raises(ValueError, match="discriminator=patch"):
        Patch().generator((1, 28, 28))
    for name, value in [("layers", -1), ("width", 0), ("d_norm", "btach")]:
        with pytest.raises(ValueError, match=name):
            replace(Patch(), **{name: value})
