"""Laws of `discriminator=`: a D of any family plays against a G of any other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gan_cli import build, session
from gan_cli.batch import Batch
from gan_cli.errors import UserMistake
from gan_cli.facts import hidden
from gan_cli.method.adversarial import Adversarial
from gan_cli.method.gan import GAN
from gan_cli.method.kit import Kit
from gan_cli.method.rules import d_net
from gan_cli.model import Translates
from gan_cli.penalty.r1 import R1
from gan_cli.randomness import reseed
from gan_cli.space import Space
from tests.conftest import entries
from tests.games import composed, spec

SHAPES = [(1, 8, 8), (3, 20, 12)]
NARROW = {"width": 8, "g_width": 8, "d_width": 8, "w_dim": 8, "widest": 16, "most": 16, "code": 8}
PATCHES = {"patch", "unet"}  # the families whose D judges patches


def family(name: str) -> str:
    """The module of `model=name`."""
    return spec("model", name)["_target_"].split(".")[-2]


MODELS = [name for name in entries("model") if family(name) == name and name != "mixture"]
"""An entry a family, of those that play."""


def kit(space: Space, model: str, D: str, *more: str) -> Kit:
    """The parts of a game, of few channels."""
    config = composed(f"model={model}", f"discriminator={D}", *more)
    for group in ("model", "discriminator"):
        config[group] |= {key: NARROW[key] for key in config[group].keys() & NARROW.keys()}
    return session.kit(config, build.parts(config), space, None, torch.device("cpu"))


def space_for(model: str, shape: tuple[int, ...]) -> Space:
    made = build.parts(composed(f"model={model}")).model
    return Space(shape, given=shape if isinstance(made, Translates) else None)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("D", entries("discriminator"))
def test_it_gives_a_number_a_sample_or_one_a_patch(D, shape):
    net = d_net(kit(Space(shape), "mlp", D))
    out = net(torch.randn(4, *shape), None)
    assert len(out) == 4
    assert out.dim() == (2 if D in PATCHES else 1)


@pytest.mark.parametrize("D", [name for name in entries("discriminator") if name in MODELS])
def test_it_is_the_d_of_that_model(D):
    """Weight for weight, whatever the model of G."""
    theirs, own = kit(Space((1, 8, 8)), "mlp", D), kit(Space((1, 8, 8)), D, "same")
    states = []
    for one in (theirs, own):
        reseed("d")
        states.append(d_net(one).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_without_another_family_it_is_the_models_own():
    assert composed()["discriminator"] == {}
    nets = [d_net(kit(Space((1, 8, 8)), name, "same")) for name in ("mlp", "dcgan")]
    assert "MLP" in type(nets[0]).__name__
    assert "DCGAN" in type(nets[1]).__name__


@pytest.mark.training
@pytest.mark.parametrize("D", entries("discriminator"))
@pytest.mark.parametrize("model", MODELS)
def test_every_pair_plays(model, D):
    """Two steps, each player moved by each; of images of images too."""
    space = space_for(model, (1, 8, 8))
    reseed("game")
    gan = Adversarial().make(kit(space, model, D))
    before = {name: player.state(name) for name, player in gan.players.items()}
    before = {k: v.clone() for state in before.values() for k, v in state.items()}
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    for step in range(2):
        facts = gan.step([Batch(x, x.flip(3) if space.given else None)], step)
        assert all(fact.isfinite().all() for fact in facts.values())
        assert all(fact.dim() == 0 for name, fact in facts.items() if not hidden(name))
    for name, player in gan.players.items():
        assert any(not torch.equal(v, before[k]) for k, v in player.state(name).items())
    assert gan.outputs["D/real"].shape == (4,)


@pytest.mark.parametrize("D", ["dcgan", "mlp", "patch"])
def test_its_norm_is_that_of_a_critic_where_a_penalty_asks_for_it(D):
    net = d_net(kit(Space((1, 8, 8)), "mlp", D, "penalty=r1"))
    assert R1().refuses(net) is None
    assert composed("discriminator=dcgan")["discriminator"]["d_norm"] == "batch"


def patched(*more: str) -> GAN:
    reseed("game")
    return Adversarial().make(kit(Space((1, 16, 16)), "mlp", "patch", *more))


def test_patches_pay_the_mean_of_their_losses():
    """Not the loss of their mean, which is less where the loss is convex (Jensen)."""
    gan = patched()
    x = torch.rand(4, 1, 16, 16) * 2 - 1
    out = gan.judge(Batch(x))
    paid = gan.play(gan.loss.d, out, -out)
    by_hand = gan.loss.d(out.flatten(), -out.flatten()).view(4, -1).mean(1)
    assert torch.allclose(paid, by_hand)
    assert (paid > gan.loss.d(out.mean(1), -out.mean(1))).all()


def test_a_penalty_sees_the_mean_of_the_patches():
    gan = patched("penalty=r1")
    x = torch.rand(4, 1, 16, 16) * 2 - 1
    with torch.no_grad():
        seen = gan.seen(Batch(x), Batch(x), gan.judge(Batch(x)), gan.judge(Batch(x)))
    assert seen.d_real.shape == (4,)
    assert torch.allclose(seen.D(x, None), gan.judge(Batch(x)).mean(1))


@pytest.mark.parametrize("loss", ["ralsgan", "rahinge", "dual_contrastive"])
def test_a_loss_that_compares_samples_is_refused_for_patches(loss):
    with pytest.raises(UserMistake, match=r"patch.*loss=lsgan"):
        patched(f"loss={loss}", "constraint=free")


def test_a_pack_has_its_patches():
    D = d_net(replace(kit(Space((1, 16, 16)), "mlp", "patch"), pack=2))
    out = D(torch.rand(4, 1, 16, 16))
    assert out.shape[0] == 4
    assert out.dim() == 2
    assert torch.equal(out[0], out[1])
    assert not torch.equal(out[1], out[2])


def test_a_family_that_cannot_judge_is_told_by_the_name_of_its_group():
    with pytest.raises(UserMistake, match="^discriminator: stylegan2"):
        d_net(kit(Space((2,)), "mlp", "stylegan2"))


def test_a_patch_has_no_class():
    space = Space((1, 16, 16), ("a", "b"))
    with pytest.raises(UserMistake, match="condition=concat"):
        d_net(kit(space, "mlp", "patch", "condition=projection"))


def test_a_family_that_judges_alone_makes_no_samples():
    with pytest.raises(ValueError, match="discriminator=patch"):
        build.parts(composed("discriminator=patch")).discriminator.generator((1, 8, 8))


@pytest.mark.parametrize("constraint", ["spectral", "clip"])
def test_weights_that_scale_themselves_are_refused_where_their_size_counts(constraint):
    with pytest.raises(UserMistake, match="constraint=free"):
        d_net(kit(Space((1, 8, 8)), "mlp", "stylegan2", f"constraint={constraint}"))
    d_net(kit(Space((1, 8, 8)), "mlp", "stylegan2", "constraint=weight_norm"))
