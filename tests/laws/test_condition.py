"""Laws of every condition: labels and images reach the networks that are to be told of them."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from gan_cli import build, session
from gan_cli.batch import Batch
from gan_cli.condition import as_planes, mismatch
from gan_cli.errors import UserMistake
from gan_cli.method.gan import GAN
from gan_cli.model import Discriminator, Generator, has_features
from gan_cli.randomness import reseed
from gan_cli.space import Space
from tests.conftest import entries
from tests.games import composed, part

SHAPE = (1, 8, 8)
CLASSES = tuple("abcde")
LABELLED = Space(SHAPE, CLASSES)
GIVEN = Space(SHAPE, given=(2, 4, 4))
NAMES = entries("condition")
MODELS = ["mlp", "dcgan"]
TELLS_D = {"concat", "projection"}


def model(name: str):
    return build.parts(composed(f"model={name}", "model.width=8")).model


def told(name: str, family: str, space: Space = LABELLED, pack: int = 1):
    """G and D of a family, told in this way."""
    torch.manual_seed(0)
    condition = part("condition", name)
    D = condition.discriminator(model(family), space, pack)
    return condition.generator(model(family), space), D


def all_labels() -> Tensor:
    return torch.arange(len(CLASSES))


def same_z(G: Generator) -> Tensor:
    return torch.randn(1, G.z_dim).expand(len(CLASSES), -1)


def differ(x: Tensor) -> bool:
    return len(x.unique(dim=0)) == len(x)


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("name", NAMES)
def test_g_makes_something_else_for_each_label(name, family):
    G, _ = told(name, family)
    assert G.z_dim == model(family).z_dim  # the label stands beside z, and takes nothing from it
    x = G.eval()(same_z(G), all_labels())
    assert x.shape == (len(CLASSES), *SHAPE)
    assert differ(x.flatten(1))


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("name", NAMES)
def test_d_judges_a_sample_by_its_label_where_it_is_told(name, family):
    _, D = told(name, family)
    x = torch.randn(1, *SHAPE).expand(len(CLASSES), -1, -1, -1)
    out = D.eval()(x, all_labels())
    assert out.shape == (len(CLASSES),)
    assert differ(out[:, None]) == (name in TELLS_D)
    assert not part("condition", name).matching or name in TELLS_D


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("name", NAMES)
def test_every_weight_of_what_is_told_matters(name, family):
    G, D = told(name, family)
    c = all_labels()
    out = D(G(torch.randn(len(c), G.z_dim), c), c)
    weights = [*G.parameters(), *D.parameters()]
    gradients = torch.autograd.grad((out - 0.1).square().sum(), weights)
    assert all(g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("name", NAMES)
def test_without_a_condition_nothing_is_changed(name, family):
    G, D = told(name, family, Space(SHAPE))
    bare = model(family)
    assert type(G) is type(bare.generator(SHAPE))
    assert type(D) is type(bare.discriminator(SHAPE))
    assert told(name, family, Space(SHAPE), pack=2)[1](torch.randn(4, *SHAPE)).shape == (4,)


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("name", NAMES)
def test_points_are_told_like_images(name, family):
    if family == "dcgan":
        return
    G, D = told(name, family, Space((2,), CLASSES))
    x = G(same_z(G), all_labels())
    assert differ(x)
    assert differ(D(x[:1].expand(5, -1), all_labels())[:, None]) == (name in TELLS_D)


# How D is told


def test_projection_is_the_output_and_the_product_with_the_vector_of_the_class():
    """Miyato and Koyama 2018, equation 3."""
    _, D = told("projection", "mlp")
    x, c = torch.randn(7, *SHAPE), torch.tensor([0, 1, 2, 3, 4, 0, 1])
    h = D.D.features(x)
    by_hand = D.D(x) + torch.stack([D.embedding.weight[k] @ h[i] for i, k in enumerate(c)])
    assert torch.allclose(D(x, c), by_hand, atol=1e-6)
    assert torch.equal(D.features(x, c), h)


def test_concat_shows_d_a_plane_for_each_class():
    x, c = torch.randn(2, *SHAPE), torch.tensor([1, -1])
    planes = as_planes(c, x, 3)
    assert planes.shape == (2, 3, 8, 8)
    assert torch.equal(planes[0].mean((1, 2)), torch.tensor([0.0, 1.0, 0.0]))
    assert planes[1].abs().sum() == 0  # a label that is not known
    _, D = told("concat", "mlp")
    c = torch.tensor([4, 0])
    assert torch.equal(D(x, c), D.D(torch.cat([x, as_planes(c, x, len(CLASSES))], 1)))


def test_image_conditions_are_resized_and_stand_beside_the_sample():
    x, small, equal = torch.randn(2, *SHAPE), torch.ones(2, 2, 4, 4), torch.randn(2, 3, 8, 8)
    assert torch.equal(as_planes(equal, x, 0), equal)
    assert torch.equal(as_planes(small, x, 0), torch.ones(2, 2, 8, 8))
    torch.manual_seed(0)
    D = part("condition", "concat").discriminator(model("dcgan"), GIVEN, 1)
    c = torch.randn(2, 2, 4, 4, requires_grad=True)
    (to_c,) = torch.autograd.grad(D.eval()(x, c).sum(), c)
    assert (to_c != 0).all()
    assert torch.equal(D(x, c), D.D(torch.cat([x, as_planes(c, x, 0)], 1)))
    unseen = part("condition", "unseen").discriminator(model("dcgan"), GIVEN, 1)
    assert torch.equal(unseen.eval()(x, c), unseen(x, -c))


@pytest.mark.parametrize(
    ("space", "c"), [(LABELLED, all_labels()), (GIVEN, torch.randn(5, 2, 4, 4))]
)
def test_a_pack_is_told_the_conditions_of_all_its_samples(space, c):
    torch.manual_seed(0)
    D = part("condition", "concat").discriminator(model("mlp"), space, 5)
    x = torch.randn(5, *SHAPE)
    out, other = D(x, c), D(x, c.roll(1, 0))
    assert out.shape == (5,)
    assert differ(torch.stack([out[0], other[0]])[:, None])
    assert torch.equal(out, out[:1].expand(5))  # one answer for all of them
    assert not has_features(D)


@pytest.mark.parametrize("name", NAMES)
def test_features_and_answer_are_the_output_taken_apart(name):
    _, D = told(name, "mlp")
    assert isinstance(D, Discriminator)
    x, c = torch.randn(5, *SHAPE), all_labels()
    h = D.features(x, c)
    assert h.shape == (5, D.width)
    assert torch.equal(D.answer(h, c), D(x, c))


# What is refused


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_way_to_tell_g_is_refused_with_the_choices(name):
    with pytest.raises(ValueError, match="g is one of concat, norm, not film"):
        dataclasses.replace(part("condition", name), g="film")


@pytest.mark.parametrize("name", NAMES)
def test_a_g_that_cannot_be_told_is_refused_with_the_fix(name):
    in_norms = dataclasses.replace(part("condition", name), g="norm")
    with pytest.raises(ValueError, match=r"condition\.g=concat"):
        in_norms.generator(model("mlp"), LABELLED)
    with pytest.raises(ValueError, match=r"condition\.g=norm"):
        part("condition", name).generator(object(), LABELLED)
    with pytest.raises(ValueError, match="model=unet"):
        part("condition", name).generator(model("mlp"), GIVEN)


def test_projection_refuses_what_it_cannot_project_on():
    condition = part("condition", "projection")
    with pytest.raises(ValueError, match="condition=concat"):
        condition.discriminator(model("mlp"), GIVEN, 1)
    with pytest.raises(ValueError, match="pack=1"):
        condition.discriminator(model("mlp"), LABELLED, 2)
    with pytest.raises(ValueError, match="needs the features of a sample"):
        condition.discriminator(build.parts(composed("model=autoencoder")).model, LABELLED, 1)


def test_a_condition_that_nobody_asked_for_is_refused():
    typed = ["condition=projection"]
    config = composed("dataset=digits", "model=mlp", *typed)
    with pytest.raises(UserMistake, match="task=label"):
        session.make(config, build.parts(config), torch.device("cpu"), typed)


# The third pair: a right sample with a wrong condition


def test_a_wrong_label_is_never_the_right_one_and_each_is_as_likely():
    torch.manual_seed(0)
    c = torch.arange(5).repeat(4000)
    wrong = mismatch(c, 5)
    assert (wrong != c).all()
    counts = torch.zeros(5, 5).index_put_((c, wrong), torch.ones(len(c)), accumulate=True)
    expected = 1000 * (1 - torch.eye(5))
    chi = ((counts - expected).square() / expected.clamp(min=1)).sum()
    assert chi < 37.7  # χ² of 15: once in a thousand


def test_a_wrong_image_is_that_of_another_sample():
    c = torch.randn(6, 2, 4, 4)
    wrong = mismatch(c, 0)
    assert all(not torch.equal(a, b) for a, b in zip(c, wrong, strict=True))
    assert torch.equal(wrong.sum(0), c[[5, 0, 1, 2, 3, 4]].sum(0))


def game(*overrides: str, space: Space = LABELLED) -> GAN:
    """A GAN on digits with labels, of a D whose answers depend on its weights and inputs alone."""
    config = composed("model=mlp", "model.width=16", "task=label", *overrides)
    made = build.parts(config)
    reseed("matching")
    gan = made.method.make(session.kit(config, made, space, 100, torch.device("cpu")))
    assert isinstance(gan, GAN)
    return gan


def of_loss(loss: str, *overrides: str) -> GAN:
    own = ["model=autoencoder"] if "autoencoder" in str(composed(f"loss={loss}")["model"]) else []
    return game(f"loss={loss}", "penalty=none", "constraint=clip", *own, *overrides)


def batch(n: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(torch.rand(n, *SHAPE, generator=generator) * 2 - 1, torch.arange(n) % 5)


@pytest.mark.training
@pytest.mark.parametrize("loss", entries("loss"))
def test_a_wrong_pair_counts_as_fake_and_weighs_half(loss):
    """(d(real, fake) + d(real, wrong)) / 2, for every loss."""
    gan, real = of_loss(loss), batch()
    wrong = Batch(real.x, (real.c + 2) % 5)
    gan.mismatched = lambda batch: wrong
    with torch.no_grad():
        fake = gan.fake(real)
        d_real, d_fake, d_wrong = (gan.D(b.x, b.c) for b in (real, fake, wrong))
        by_hand = (gan.loss.d(d_real, d_fake) + gan.loss.d(d_real, d_wrong)) / 2
        paid, _ = gan.d_loss(real, fake)
        assert torch.allclose(paid, by_hand, atol=1e-6)
        assert not torch.allclose(d_wrong, d_real)
        alone, _ = of_loss(loss, "condition.matching=false").d_loss(real, fake)
        assert torch.allclose(alone, gan.loss.d(d_real, d_fake), atol=1e-6)


@pytest.mark.training
@pytest.mark.parametrize("loss", entries("loss"))
def test_and_g_plays_as_ever(loss):
    told = []
    for matching in ("true", "false"):
        gan = of_loss(loss, f"condition.matching={matching}")
        reseed("g")
        told.append(gan.g_loss(batch())[0])
    assert torch.equal(*told)


@pytest.mark.parametrize("name", NAMES)
def test_d_is_told_wrong_labels_only_where_they_are_to_be_matched(name):
    held = ["auxiliary=acgan"] if name == "unseen" else []  # or nothing would tie x to its label
    gan = game(f"condition={name}", *held)
    assert (gan.classes is not None) == part("condition", name).matching
    if gan.classes is not None:
        real = batch()
        assert (gan.mismatched(real).c != real.c).all()
        assert torch.equal(gan.mismatched(real).x, real.x)


@pytest.mark.parametrize("alone", [["batch_size=1"], ["batch_size=5", "accumulate=3"]])
def test_a_wrong_image_needs_another_sample(alone):
    """The neighbour of a sample by itself is the sample: D would be told it is both."""
    images = ["model=unet", "task=superres", "dataset=digits"]
    with pytest.raises(UserMistake, match=r"condition: .*condition\.matching=false"):
        game(*images, *alone, space=GIVEN)
    assert game(*images, *alone, "condition.matching=false", space=GIVEN).classes is None
    assert game(*images, "batch_size=6", "accumulate=3", space=GIVEN).classes == 0


def test_a_step_in_parts_has_third_pairs_too():
    gan = game("accumulate=3")
    assert gan.d_step(batch())["loss/d"].isfinite()
    assert gan.D.images == 6


def test_heads_and_conditions_go_together():
    """D told by projection, with a head beside it: the answer is the projection's."""
    gan = game("condition=projection", "auxiliary=acgan")
    D, real = gan.D.net, batch()
    out, guesses = D.both(real.x, real.c)
    assert torch.equal(out, D.D(real.x, real.c))
    assert torch.equal(out, D(real.x, real.c))
    assert torch.equal(guesses["acgan"], D.heads["acgan"](D.features(real.x, real.c)))
    assert isinstance(D.heads["acgan"], nn.Linear)
